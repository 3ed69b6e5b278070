import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createLog } from '../log.ts'
import { CannotStart } from './cannot-start.ts'
import { kafkaJars } from './kafka-jars.ts'

test('what Maven can not get is told in one line, and tried again in the same place', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'community-maven-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const failing = '#!/bin/sh\necho "[ERROR] no such host"\necho "[ERROR] see the manual"\nexit 1\n'
  await writeFile(join(folder, 'mvn'), failing, { mode: 0o755 })
  vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
  onTestFinished(() => void vi.unstubAllEnvs())
  const cache = join(folder, 'cache')
  for (let attempt = 0; attempt < 2; attempt++) {
    const failure: unknown = await kafkaJars(cache, createLog('test', 'silent')).catch(
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(CannotStart)
    expect(String(failure)).toBe('Error: Maven could not get Kafka: no such host')
  }
  expect((await readdir(cache)).filter((name) => name.startsWith('kafka-'))).toHaveLength(1)
})
