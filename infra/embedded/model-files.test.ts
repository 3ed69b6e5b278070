import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createLog } from '../log.ts'
import { modelFilesIn } from '../model-files.ts'
import { modelFiles } from './model-files.ts'

const log = createLog('test', 'silent')

async function cacheFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'community-model-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  onTestFinished(() => void vi.unstubAllEnvs())
  return folder
}

test('without Maven it is said that the model can not be fetched, and nothing is left behind', async () => {
  const folder = await cacheFolder()
  vi.stubEnv('PATH', folder)
  expect(await modelFiles(join(folder, 'cache'), log)).toBe('mvn (Maven) or its java is not installed')
})

test('what Maven can not get is told in one line', async () => {
  const folder = await cacheFolder()
  const failing = '#!/bin/sh\n[ "$1" = -v ] && exit 0\necho "[ERROR] no such host"\nexit 1\n'
  await writeFile(join(folder, 'mvn'), failing, { mode: 0o755 })
  vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
  expect(await modelFiles(join(folder, 'cache'), log)).toBe(
    'Maven could not get the embedding model: no such host',
  )
})

test('a model that is there needs no Maven', async () => {
  const folder = await cacheFolder()
  await mkdir(modelFilesIn(folder).folder, { recursive: true })
  vi.stubEnv('PATH', folder)
  expect(await modelFiles(folder, log)).toBe(true)
})
