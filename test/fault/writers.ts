/** Commits transitions of runs of its own as the orchestrator does, and notes those that were acknowledged. */
import { randomBytes, randomInt } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, inTransaction, isConnectionError } from '@community/infra/postgres.ts'
import type { PlanDefinition } from '@community/subgraphs/agents/orchestrate/definition.ts'
import { record } from '@community/subgraphs/agents/orchestrate/journal.ts'
import { insertRun } from '@community/subgraphs/agents/orchestrate/store.ts'
import type { Change } from '@community/subgraphs/agents/orchestrate/transition.ts'
import { internalSettings } from '@community/subgraphs/kit/subgraph.ts'
import { offer } from '../bench/child.ts'
import { acknowledgedFile, type Commit, storedFile } from '../history.ts'

export type WriterOptions = { databaseUrl: string; folder: string; keys: string[]; ratePerSecond: number }

const { databaseUrl, folder, keys, ratePerSecond } = JSON.parse(process.argv[2] ?? '') as WriterOptions
const pool = createPool({ url: databaseUrl, role: 'agents', applicationName: 'load', max: keys.length })
const acknowledged = createWriteStream(acknowledgedFile(folder))
const owner = 'load'
let committed = 0
let stopping = false
let writing: Promise<unknown> = Promise.resolve()

const offers = {
  async prepare() {
    for (const key of keys) {
      await inTransaction(pool, internalSettings, async (tx) => {
        const run = { definition: definitionOf(key), organizationId: 'ossa', startedBy: owner }
        const started = await insertRun(tx, run)
        if ('going' in started) throw new Error(`the run ${key} is there already`)
        // Held for good: no orchestrator takes it up.
        await tx.query(`update run set lease_owner = $2, lease_until = 'infinity' where id = $1`, [
          key,
          owner,
        ])
      })
      await commit(key, 1)
    }
  },
  go() {
    writing = Promise.all(keys.map(write))
  },
  committed: () => committed,
  /** The last version of each key, whether it was acknowledged or not. */
  async stop(): Promise<Record<string, number>> {
    stopping = true
    await writing
    acknowledged.end()
    await finished(acknowledged)
    const stored = await storedCommits()
    await writeFile(storedFile(folder), stored.map((each) => `${JSON.stringify(each)}\n`).join(''))
    await pool.end()
    return Object.fromEntries(stored.map(({ key, version }) => [key, version]))
  },
}
export type Writers = typeof offers
offer(offers)

async function write(key: string): Promise<void> {
  const everyMs = (1_000 * keys.length) / ratePerSecond
  let dueMs = performance.now() + randomInt(1_000)
  while (!stopping) {
    await sleep(Math.max(0, dueMs - performance.now()))
    const changes = randomInt(1, 4)
    try {
      await commit(key, changes)
    } catch (error) {
      // Whether it was committed nobody knows: it is not acknowledged.
      if (!isConnectionError(error)) throw error
      await sleep(100)
    }
    // After an outage it makes up for a second at most.
    dueMs = Math.max(dueMs, performance.now() - 1_000) + changes * everyMs
  }
}

/** One transaction of so many changes. */
async function commit(key: string, changes: number): Promise<void> {
  const marks = Array.from({ length: changes }, () => randomBytes(6).toString('base64url'))
  const lease = { runId: key, owner, pool, nudge: () => undefined }
  const run = await record(lease, ...marks.map(changeOf))
  for (const [index, mark] of marks.entries())
    acknowledged.write(
      `${JSON.stringify({ key, version: run.version - changes + 1 + index, mark } satisfies Commit)}\n`,
    )
  committed += changes
}

// Subscribers see the mark among the run's reasons, in events and snapshots; the record keeps it as the detail.
const changeOf = (mark: string): Change => ({
  transition: 'ITERATION_REVIEWED',
  detail: mark,
  run: { status: 'RUNNING', reasons: [mark] },
})

async function storedCommits(): Promise<Commit[]> {
  const { rows } = await inTransaction(pool, internalSettings, (tx) =>
    tx.query<Commit>(
      `select run_id as key, version::int, detail as mark from transition
       where run_id = any($1) order by run_id, version`,
      [keys],
    ),
  )
  return rows
}

const definitionOf = (name: string): PlanDefinition => ({
  name,
  description: 'A run whose transitions are made by a test.',
  visibility: 'PUBLIC',
  tokenBudget: 0,
  maxIterations: 1,
  concurrency: 1,
  tokensPerCall: 1,
  budgetStrategy: 'block',
  budgetWaitMs: 1,
  phases: [{ name: 'load', description: 'Has no steps.', select: { load: 'none' }, actions: ['DEPLOY'] }],
  convergence: [{ name: 'active-agents', target: 1 }],
})
