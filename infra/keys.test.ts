import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openKeys } from './keys.ts'

async function keysFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'community-keys-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('processes that start at once on a new folder agree on one key', async () => {
  const folder = await keysFolder()
  const opened = await Promise.all(Array.from({ length: 8 }, () => openKeys(folder, 'internal')))
  expect(new Set(opened.map((keys) => keys.signingKey.kid)).size).toBe(1)
  expect(await readdir(folder)).toHaveLength(1)
})

test('a process that was killed while it made the first key leaves nothing that the next one waits for', async () => {
  const folder = await keysFolder()
  await writeFile(join(folder, 'internal.lock'), '')
  await writeFile(join(folder, 'half.new'), '{"kty":')
  await expect(openKeys(folder, 'internal')).resolves.toMatchObject({ publicJwks: expect.any(Function) })
})

test('what an old key signed stays verifiable after a rotation, and ends with its file', async () => {
  const folder = await keysFolder()
  const other = await keysFolder()
  const old = await openKeys(folder, 'issuer')
  const token = await old.sign({ org: 'ossa' }, { audience: 'a', subject: 'dev', ttlSeconds: 60 })
  const newer = await openKeys(other, 'issuer')
  const [first = ''] = await readdir(other)
  const file = `issuer-${Date.now()}-${newer.signingKey.kid}.jwk`
  await copyFile(join(other, first), join(folder, file))

  const rotated = await openKeys(folder, 'issuer')
  expect(rotated.signingKey.kid).toBe(newer.signingKey.kid)
  expect(await rotated.verify(token, { audience: 'a' })).toMatchObject({ sub: 'dev', org: 'ossa' })
  await rm(join(folder, (await readdir(folder)).find((name) => name !== file) ?? ''))
  await expect((await openKeys(folder, 'issuer')).verify(token, { audience: 'a' })).rejects.toThrow()
})

test('a token for somebody else, from somebody else, too old or without an end is refused', async () => {
  const keys = await openKeys(await keysFolder(), 'issuer')
  const expired = await keys.sign({}, { audience: 'a', ttlSeconds: -10 })
  const foreign = await (await openKeys(await keysFolder(), 'issuer')).sign(
    {},
    { audience: 'a', ttlSeconds: 60 },
  )
  const fine = await keys.sign({}, { audience: 'a', issuer: 'i', ttlSeconds: 60 })
  await expect(keys.verify(expired, { audience: 'a' })).rejects.toThrow('"exp"')
  await expect(keys.verify(foreign, { audience: 'a' })).rejects.toThrow()
  await expect(keys.verify(fine, { audience: 'b' })).rejects.toThrow('"aud"')
  await expect(keys.verify(fine, { audience: 'a', issuer: 'j' })).rejects.toThrow('"iss"')
  await expect(keys.verify(fine, { audience: 'a', issuer: 'i' })).resolves.toMatchObject({ aud: 'a' })
})
