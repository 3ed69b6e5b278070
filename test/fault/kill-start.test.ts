import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '@community/infra/embedded/ports.ts'
import { expect, onTestFinished, test } from 'vitest'
import { type Answer, ask } from '../client.ts'
import { eventually } from '../eventually.ts'
import { descendantsOf, survivors } from '../processes.ts'

const planId = 'phase3-150agent-deployment'

test('kill -9 of the supervisor, then of the whole tree: nothing is orphaned, the plan goes on, no agent is deployed twice', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'community-kill-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/graphql`
  onTestFinished(() => rm(dataFolder, { recursive: true, force: true }))

  const first = await start(port, dataFolder)
  await progressReaches(url, 60)
  const firstTree = descendantsOf(first.pid!)
  expect(firstTree.length).toBeGreaterThan(8)
  first.kill('SIGKILL')
  expect(await survivors(firstTree, 20_000)).toEqual([])

  const second = await start(port, dataFolder)
  await progressReaches(url, 140)
  const secondTree = descendantsOf(second.pid!)
  for (const pid of [second.pid!, ...secondTree]) process.kill(pid, 'SIGKILL')
  expect(await survivors(secondTree, 20_000)).toEqual([])

  const third = await start(port, dataFolder)
  await progressReaches(url, 285)
  const { data } = await eventually(
    () => outcomeAt(url),
    (answer) => answer.data?.executionPlan?.status === 'CONVERGED',
    { withinMs: 60_000 },
  )
  expect(data).toMatchObject({
    executionPlan: { status: 'CONVERGED', progress: { done: 285, failed: 0, total: 285 } },
    agents: { totalCount: 150 },
  })
  await told(third, 'Serving until Ctrl-C')
  const thirdTree = descendantsOf(third.pid!)
  const ended = new Promise((done) => third.once('exit', (code) => done(code)))
  third.kill('SIGINT')
  expect(await ended).toBe(0)
  expect(await survivors(thirdTree, 5_000)).toEqual([])
})

test('a start that is interrupted before its plan converged does not exit with 0', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'community-interrupt-'))
  onTestFinished(() => rm(dataFolder, { recursive: true, force: true }))
  const child = await start(await freePort(), dataFolder)
  // The first that is heard of the run; its phase may have begun before.
  await told(child, 'foundation-93agents: ')
  const ended = new Promise((done) => child.once('exit', (code) => done(code)))
  child.kill('SIGINT')
  expect(await ended).toBe(1)
})

type Outcome = {
  executionPlan: { status: string; progress: { done: number } } | null
  agents: { totalCount: number }
}
const outcome = /* GraphQL */ `
  query ($planId: ID!) {
    executionPlan(id: $planId) { status progress { done failed total } }
    agents(filter: { status: [ACTIVE] }) { totalCount }
  }
`

const outputs = new WeakMap<ChildProcess, { text: string }>()

const told = (child: ChildProcess, line: string) =>
  expect.poll(() => outputs.get(child)?.text, { timeout: 60_000 }).toContain(line)

async function start(port: number, dataFolder: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [
      resolve(import.meta.dirname, '../../infra/embedded/start.ts'),
      '--port',
      `${port}`,
      '--data',
      dataFolder,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const output = { text: '' }
  child.stdout?.on('data', (data) => (output.text += String(data)))
  outputs.set(child, output)
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  })
  return child
}

/** Nothing as long as nobody answers. */
const outcomeAt = (url: string) =>
  ask<Outcome>(url, outcome, { planId }).catch((error: unknown): Answer<Outcome> => {
    return { errors: [{ message: String(error) }] }
  })

const progressReaches = (url: string, done: number) =>
  eventually(
    () => outcomeAt(url),
    (answer) => (answer.data?.executionPlan?.progress.done ?? 0) >= done,
    { withinMs: 200_000 },
  )
