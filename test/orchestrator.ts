import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '@community/infra/config.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { createPool, inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { usageTopic } from '@community/subgraphs/agents/events.ts'
import {
  type RunRow,
  runsById,
  type StepRow,
  stepsOf,
} from '@community/subgraphs/agents/orchestrate/store.ts'
import { startUsage } from '@community/subgraphs/kit/invoke.ts'
import { type Floor, internalSettings } from '@community/subgraphs/kit/subgraph.ts'
import { testDatabase } from './database.ts'
import { loopback } from './outbound.ts'

export type TestFloor = AsyncDisposable & {
  floor: Floor
  /** The test's own, with its keys. */
  folder: string
}

/** What the orchestrator stands on, on a database of its own. Without `graph` nothing may be asked of it. */
export async function testFloor(graph?: Floor['graph']): Promise<TestFloor> {
  const stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase())
  const folder = await mkdtemp(join(tmpdir(), 'orchestrate-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const internal = await openKeys(folder, 'internal')
  const issuer = await openKeys(folder, 'issuer')
  const log = createLog('test', 'silent')
  const eventLog = openPostgresEventLog({ url: database.adminUrl, partitions: 1, log })
  stack.defer(() => eventLog.close())
  await eventLog.ensureTopics([usageTopic])
  const usage = startUsage({ eventLog, source: 'test', log })
  stack.defer(() => usage.stop())
  const pool = createPool({ url: database.url('agents'), role: 'agents', applicationName: 'test' })
  stack.defer(() => pool.end())
  return {
    floor: {
      log,
      pool,
      eventLog,
      nudge: () => undefined,
      outbound: loopback,
      usage,
      embeddings: { open: () => ({ provider: null, lacks: 'nothing is searched' }) },
      config: readConfig({ DATABASE_URL: database.adminUrl }),
      keys: { internal, issuer, certificate: internal },
      graph: graph ?? { ask: () => Promise.reject(new Error('nothing is asked of the graph')) },
    },
    folder,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Agents elsewhere, all of them in one server on loopback. */
export async function serveAgents(
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Looks again and again, until there is something. */
export async function until<T>(look: () => Promise<T | null | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found) return found
    await sleep(20)
  }
}

/** How runs stand, as Postgres has them; `floor` is asked for when it is needed. */
export function runsOn(floor: () => Floor) {
  const internal = <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> =>
    inTransaction(floor().pool, internalSettings, fn)
  const run = async (id: string): Promise<RunRow | null | undefined> =>
    (await internal((tx) => runsById(tx, [id])))[0]
  const steps = (id: string): Promise<StepRow[]> => internal((tx) => stepsOf(tx, id))
  return {
    internal,
    run,
    steps,
    ended: (id: string): Promise<RunRow> =>
      until(async () => {
        const found = await run(id)
        return found?.finishedAt ? found : null
      }),
    step: async (id: string, name: string): Promise<StepRow> => {
      const found = (await steps(id)).find((each) => each.name === name)
      if (!found) throw new Error(`${id} has no step ${name}`)
      return found
    },
  }
}
