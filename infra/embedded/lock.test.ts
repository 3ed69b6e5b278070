import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lockFolder } from './folder-lock.ts'
import { underLock } from './lock.ts'

async function folderOfItsOwn(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'community-lock-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a folder is held by one, and free when that one was killed', async () => {
  const folder = await folderOfItsOwn()
  const holder = await scriptThat(
    `const { lockFolder } = await import('${import.meta.dirname}/folder-lock.ts')
     await lockFolder('${folder}')`,
  )
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${holder.pid};`)
  await holder.kill()
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)))
  const held = attempts.filter((attempt) => attempt.status === 'fulfilled')
  expect(held).toHaveLength(1)
  await held[0]?.value()
  await expect(lockFolder(folder).then((release) => release())).resolves.toBeUndefined()
})

test('tasks under one lock run one after the other, also when one was killed in the middle', async () => {
  const file = join(await folderOfItsOwn(), 'task.lock')
  const holder = await scriptThat(
    `const { underLock } = await import('${import.meta.dirname}/lock.ts')
     void underLock('${file}', () => new Promise(() => undefined))`,
  )
  let running = 0
  let most = 0
  const task = async () => {
    most = Math.max(most, ++running)
    await new Promise((done) => setTimeout(done, 20))
    running--
  }
  const waiting = Promise.all([underLock(file, task), underLock(file, task)])
  expect(running).toBe(0)
  await holder.kill()
  await waiting
  expect(most).toBe(1)
})

/** A process that has run `script` and lives on. */
async function scriptThat(script: string): Promise<{ pid: number | undefined; kill(): Promise<void> }> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', `${script}\nconsole.log('done')\nsetInterval(() => undefined, 1000)`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  await Promise.race([new Promise((first) => child.stdout.once('data', first)), ended])
  return {
    pid: child.pid,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
