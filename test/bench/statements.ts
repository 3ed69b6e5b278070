import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'

// What is read of the log a moment after it was written.
const flushMs = 300
const idleMs = 5_000

/**
 * How many statements Postgres logs of a subgraph while `fn` runs, beginnings and ends of transactions among them, less what
 * the subgraph makes in as much time when nobody asks anything.
 */
export async function statementsDuring(
  { admin, logFile, subgraph }: { admin: Client; logFile: string; subgraph: string },
  fn: () => Promise<unknown>,
): Promise<number> {
  for (const setting of [`log_statement = 'all'`, `log_line_prefix = '%a|'`])
    await admin.query(`alter system set ${setting}`)
  await admin.query('select pg_reload_conf()')
  await sleep(flushMs)
  const counted = async (act: () => Promise<unknown>) => {
    const start = (await stat(logFile)).size
    const startedAt = performance.now()
    await act()
    const ms = performance.now() - startedAt
    await sleep(flushMs)
    return { ms, count: await statementsIn(logFile, start, subgraph) }
  }
  try {
    const idle = await counted(() => sleep(idleMs))
    const busy = await counted(fn)
    return Math.max(0, busy.count - (idle.count * busy.ms) / idle.ms)
  } finally {
    await admin.query('alter system reset log_statement')
    await admin.query('select pg_reload_conf()')
  }
}

async function statementsIn(logFile: string, start: number, subgraph: string): Promise<number> {
  const prefix = `subgraph ${subgraph}|LOG:`
  let count = 0
  // A statement of several lines begins with one of these.
  for await (const line of createInterface({ input: createReadStream(logFile, { start }) }))
    if (line.startsWith(prefix) && /^ +(statement|execute [^:]*):/.test(line.slice(prefix.length))) count++
  return count
}
