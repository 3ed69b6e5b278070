import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@community/infra/log.ts'
import type { Pool, Session } from '@community/infra/postgres.ts'

const candidateEveryMs = 500
const pingEveryMs = 3_000
// A leader that lasted so long may complain again; one that keeps failing complains once.
const settledAfterMs = 10_000

export type Leadership = {
  /** The connection that holds the lock. */
  session: Session
  /** Aborted when leadership is lost or `stop` is called. */
  signal: AbortSignal
}

/**
 * Runs `lead` in one process at a time, of all that use the same name in the same schema: under an advisory lock held
 * by a connection of its own. When that connection dies, or `lead` ends or throws, the next candidate takes over.
 */
export function whileLeader(
  { pool, name, log }: { pool: Pool; name: string; log: Log },
  lead: (leadership: Leadership) => Promise<void>,
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let complained = false

  const attempt = async () => {
    const session = await pool.connect()
    let broken = true
    try {
      const { rows } = await session.query<{ locked: boolean }>(
        `select pg_try_advisory_lock(hashtextextended(current_schema() || ' ' || $1, 0)) as locked`,
        [name],
      )
      if (!rows[0]?.locked) {
        broken = false
        return
      }
      await leadOn(session)
      await session.query('select pg_advisory_unlock_all()')
      broken = false
    } finally {
      session.release(broken)
    }
  }

  const leadOn = async (session: Session) => {
    const ended = new AbortController()
    const signal = AbortSignal.any([stopping.signal, session.lost, ended.signal])
    const pinging = ping(session, signal).catch((error: unknown) => ended.abort(error))
    const settled = setTimeout(() => {
      complained = false
    }, settledAfterMs)
    try {
      log.debug({ name }, 'leading')
      await lead({ session, signal })
    } finally {
      clearTimeout(settled)
      ended.abort()
      await pinging
    }
  }

  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        await attempt()
      } catch (error) {
        if (!complained && !stopping.signal.aborted)
          log.warn({ err: error, name }, 'leadership ended, trying again')
        complained = true
      }
      await sleep(candidateEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

// A server that vanished without a word would otherwise be noticed only by the next statement.
async function ping(session: Session, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(pingEveryMs, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) await session.query('select 1')
  }
}
