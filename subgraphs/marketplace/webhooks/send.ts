import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import type { Dispatcher } from 'undici'
import { administratorScope } from '../../kit/principal.ts'
import { settingsOf } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { type Pace, spanOf } from './pace.ts'
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
} from './queue.ts'
import { signedHeaders } from './sign.ts'

const gone = 410

type Means = {
  outbound: Dispatcher
  /** Aborted where what is under way is to be given up. */
  signal: AbortSignal
  internally: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>
}

/** Sends one delivery, and notes what became of it. */
export function sender(
  { pool, seal, log }: Pick<MarketplaceFloor, 'pool' | 'seal' | 'log'>,
  pace: Pace,
  { outbound, signal, internally }: Means,
) {
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

/** As `listing.published`. */
const typeOf = (kind: string): string => kind.toLowerCase().replace('_', '.')
