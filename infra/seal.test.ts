import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openSeal } from './seal.ts'

async function keysFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'community-seal-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('what is sealed is opened for whom it was sealed, by every process of the installation', async () => {
  const folder = await keysFolder()
  const [one, two] = await Promise.all([openSeal(folder), openSeal(folder)])
  const sealed = await one.close('whsec_secret', 'acme')
  expect(sealed).not.toContain('secret')
  expect(await two.open(sealed, 'acme')).toBe('whsec_secret')
  await expect(two.open(sealed, 'globex')).rejects.toThrow('sealed for another')
})

test('what was changed, or sealed elsewhere, is not opened', async () => {
  const ours = await openSeal(await keysFolder())
  const theirs = await openSeal(await keysFolder())
  const sealed = await ours.close('whsec_secret', 'acme')
  const parts = sealed.split('.')
  const tampered = [...parts.slice(0, 3), Buffer.from('whsec_forged').toString('base64url'), parts[4]].join(
    '.',
  )
  await expect(ours.open(tampered, 'acme')).rejects.toThrow()
  await expect(theirs.open(sealed, 'acme')).rejects.toThrow('no longer there')
})

test('what an older key closed is opened until its file goes', async () => {
  const folder = await keysFolder()
  const other = await keysFolder()
  const sealed = await (await openSeal(folder)).close('whsec_secret', 'acme')
  await openSeal(other)
  const [newer = ''] = await readdir(other)
  const [older = ''] = await readdir(folder)
  await copyFile(join(other, newer), join(folder, 'sealing-1-newer.jwk'))
  const rotated = await openSeal(folder)
  expect(await rotated.open(sealed, 'acme')).toBe('whsec_secret')
  const resealed = await rotated.close('whsec_secret', 'acme')
  await rm(join(folder, older))
  const left = await openSeal(folder)
  await expect(left.open(sealed, 'acme')).rejects.toThrow('no longer there')
  expect(await left.open(resealed, 'acme')).toBe('whsec_secret')
})
