import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Log } from './log.ts'
import { connectToPrimary, type Pool } from './postgres.ts'

export type Notifications = {
  /** Tells all who listen, soon; those of many calls at once together. */
  send(topic: string): void
  /** Begins to listen, and goes on until closed. */
  listen(): void
  isListening(): boolean
  close(): Promise<void>
}

type Options = {
  url: string
  pool: Pool
  log: Log
  /** Null: whatever the topic, since some may have been missed. */
  onTopic: (topic: string | null) => void
}

const channel = 'eventlog'
const retryMs = 1_000
const goodbyeMs = 1_000

// A notification in the transaction that appends would make all commits wait for each other's flush to disk; one that is
// lost costs its readers no more than their next poll.
const sendStatement = `
  select set_config('synchronous_commit', 'off', true), pg_notify($1, topic) from unnest($2::text[]) as topic`

/** NOTIFY and LISTEN for those who else would ask a table again and again: a hint, on which nothing depends. */
export function createNotifications({ url, pool, log, onTopic }: Options): Notifications {
  const closed = new AbortController()
  const { signal } = closed
  const unsent = new Set<string>()
  let sending: Promise<void> | null = null
  let listening: Promise<void> | null = null
  let isListening = false
  /** Told in the log once for each outage. */
  let isLost = false

  const lost = (error: unknown) => {
    if (!isLost) log.warn({ err: error }, 'no notifications of the event log for now: it is polled')
    isLost = true
  }
  const works = () => {
    isLost = false
  }

  const sendAll = async () => {
    while (unsent.size > 0) {
      const topics = [...unsent]
      unsent.clear()
      await pool.query(sendStatement, [channel, topics]).then(works, lost)
    }
    sending = null
  }

  const listenOnce = async (client: Client) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    client.on('error', reject)
    client.on('end', () => reject(new Error('the connection ended')))
    client.on('notification', ({ payload }) => onTopic(payload ?? null))
    signal.addEventListener('abort', () => resolve(), { once: true })
    // It may be lost while the statement is under way.
    promise.catch(() => undefined)
    await client.query(`listen ${channel}`)
    isListening = true
    works()
    onTopic(null)
    if (!signal.aborted) await promise
  }

  const keepListening = async () => {
    while (!signal.aborted) {
      try {
        const client = await connectToPrimary(url, 'eventlog listener')
        try {
          await listenOnce(client)
        } finally {
          isListening = false
          // A server that is gone without a word does not answer the goodbye.
          await Promise.race([client.end(), sleep(goodbyeMs, undefined, { ref: false })])
        }
      } catch (error) {
        lost(error)
        await sleep(retryMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  return {
    send(topic) {
      unsent.add(topic)
      sending ??= sendAll()
    },
    listen() {
      listening ??= keepListening()
    },
    isListening: () => isListening,
    async close() {
      closed.abort()
      await Promise.all([listening, sending])
    },
  }
}
