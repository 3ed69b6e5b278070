import { setTimeout as sleep } from 'node:timers/promises'
import { createBell } from '@community/infra/bell.ts'
import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import type { Dispatcher } from 'undici'
import { openOutbound } from '../../kit/outbound.ts'
import { administratorScope } from '../../kit/principal.ts'
import { internalSettings, settingsOf } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { post, type Reply } from './post.ts'
import {
  type Due,
  disable,
  dropDelivery,
  giveBack,
  hasFailedFor,
  isSeen,
  noteAttempt,
  type Outcome,
  type Room,
  takeDue,
} from './queue.ts'
import { signedHeaders } from './sign.ts'
import { type Keep, tidy } from './tidy.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

export type Pace = {
  /** Under way at once in this process; webhooks that fail have half of them. */
  slots: number
  room: Pick<Room, 'perWebhook' | 'perOrganization' | 'leaseMs'>
  timeoutMs: number
  /** After each attempt that failed, plus up to a fifth; after the last one none follows. */
  waitsMs: readonly number[]
  /** A webhook to which nothing could be delivered for so long is disabled. */
  failingMs: number
  pollMs: number
  tidyMs: number
  keep: Keep
}

/** The schedule that Standard Webhooks suggests: ten attempts in three days. */
const waitsMs = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
]

export const usualPace: Pace = {
  slots: 32,
  room: { perWebhook: 4, perOrganization: 8, leaseMs: minute },
  timeoutMs: 15 * second,
  waitsMs,
  failingMs: 5 * day,
  pollMs: second,
  tidyMs: 5 * second,
  keep: { mostPending: 1_000, keptMs: 14 * day },
}

const drainMs = 3_000
const gone = 410

type Floor = Pick<MarketplaceFloor, 'pool' | 'config' | 'seal' | 'addressesOf' | 'log'>

/** Sends what webhooks are to be told. Any number of processes share the work. */
export function startWebhooks(floor: Floor, pace: Pace = usualPace): { stop(): Promise<void> } {
  const { pool, config, addressesOf, log } = floor
  const { slots, room } = pace
  const stopping = new AbortController()
  const givingUp = new AbortController()
  const bell = createBell()
  const outbound = openOutbound({
    allow: config.agentEndpointAllow,
    // The operator's own agents are no place for webhooks.
    trusted: [],
    encrypted: true,
    addressesOf,
  })
  const underWay = new Set<Promise<void>>()
  let failingUnderWay = 0
  let tidiedAt = Number.NEGATIVE_INFINITY
  let complained = false

  const internally = async <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> =>
    await inTransaction(pool, internalSettings, fn)
  const send = sender(floor, pace, { outbound, signal: givingUp.signal, internally })

  const begin = (due: Due) => {
    const weight = due.failing ? 1 : 0
    failingUnderWay += weight
    const sent = send(due)
      // Its lease runs out, and it is sent once more.
      .catch((error: unknown) => log.warn({ err: error, delivery: due.id }, 'a webhook could not be told'))
      .finally(() => {
        underWay.delete(sent)
        failingUnderWay -= weight
        bell.ring()
      })
    underWay.add(sent)
  }

  const takeSome = async (): Promise<number> => {
    const free = slots - underWay.size
    if (free <= 0) return 0
    const freeForFailing = Math.max(0, Math.floor(slots / 2) - failingUnderWay)
    const taken = await internally((tx) => takeDue(tx, { ...room, free, freeForFailing }))
    for (const due of taken) begin(due)
    return taken.length
  }

  const tidyUp = async (): Promise<void> => {
    if (performance.now() - tidiedAt < pace.tidyMs) return
    tidiedAt = performance.now()
    await internally((tx) => tidy(tx, pace.keep))
  }

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      let taken = 0
      try {
        await tidyUp()
        taken = await takeSome()
        complained = false
      } catch (error) {
        if (!complained && !stopping.signal.aborted)
          log.warn({ err: error }, 'webhooks can not be told for now: trying again')
        complained = true
      }
      if (taken === 0) await bell.wait(pace.pollMs, stopping.signal)
    }
  }

  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
      await Promise.race([Promise.all(underWay), sleep(drainMs, undefined, { ref: false })])
      givingUp.abort(new Error('webhooks are not told any more'))
      await Promise.all(underWay)
      await outbound.destroy()
    },
  }
}

type Means = {
  outbound: Dispatcher
  signal: AbortSignal
  internally: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>
}

function sender({ pool, seal, log }: Floor, pace: Pace, { outbound, signal, internally }: Means) {
  /** As a member of the organization sees it, or an administrator where they want that. */
  const mayTell = async (due: Due): Promise<boolean> => {
    const viewer = {
      organization: due.organizationId,
      subject: `webhook:${due.webhookId}`,
      scopes: due.includePrivate ? [administratorScope] : [],
    }
    return await inTransaction(pool, settingsOf(viewer), (tx) => isSeen(tx, due))
  }

  /** Null where they can not be read any more. */
  const secretsOf = async ({ id, organizationId, secret, previousSecret }: Due): Promise<string[] | null> => {
    const sealed = previousSecret === null ? [secret] : [secret, previousSecret]
    try {
      return await Promise.all(sealed.map((each) => seal.open(each, organizationId)))
    } catch (error) {
      log.error({ err: error, delivery: id }, "a webhook's secret could not be read")
      return null
    }
  }

  const tell = async (due: Due, secrets: readonly string[]): Promise<Reply> => {
    const { url, eventId, kind, at, data } = due
    const body = JSON.stringify({ type: typeOf(kind), timestamp: at.toISOString(), data })
    const headers = signedHeaders({ id: eventId, body, at: new Date() }, secrets)
    return await post({ url, outbound, timeoutMs: pace.timeoutMs, signal }, body, headers)
  }

  return async (due: Due): Promise<void> => {
    if (!(await mayTell(due))) return await internally((tx) => dropDelivery(tx, due))
    const secrets = await secretsOf(due)
    if (!secrets)
      return await internally(async (tx) => {
        await giveBack(tx, due)
        await disable(tx, due, 'its secret can not be read any more: rotate it, without an overlap')
      })
    let reply: Reply
    try {
      reply = await tell(due, secrets)
    } catch (error) {
      if (!signal.aborted) throw error
      return await internally((tx) => giveBack(tx, due))
    }
    await internally(async (tx) => {
      const noted = await noteAttempt(tx, due, reply, outcomeOf(reply, due.tries, pace.waitsMs))
      if (!noted || reply.error === null) return
      if (reply.statusCode === gone) return await disable(tx, due, 'it answered 410 Gone')
      if (await hasFailedFor(tx, due.webhookId, pace.failingMs))
        await disable(
          tx,
          due,
          `nothing could be delivered for ${spanOf(pace.failingMs)}; at last: ${reply.error}`,
        )
    })
  }
}

function outcomeOf(
  { error, statusCode, retryAfterMs }: Reply,
  triesBefore: number,
  waits: readonly number[],
): Outcome {
  if (error === null) return { state: 'DELIVERED' }
  if (statusCode === gone) return { state: 'DEAD', reason: error }
  const wait = waits[triesBefore]
  if (wait === undefined)
    return { state: 'DEAD', reason: `${triesBefore + 1} attempts failed; the last: ${error}` }
  return { state: 'PENDING', waitMs: Math.max(retryAfterMs, wait * (1 + Math.random() / 5)) }
}

const spanOf = (ms: number): string => `${Math.round(ms / day)} days`

/** As `listing.published`. */
const typeOf = (kind: string): string => kind.toLowerCase().replace('_', '.')
