import type { Config } from '@community/infra/config.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import type { Keys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import type { Db, Pool, Transaction } from '@community/infra/postgres.ts'
import type { Dispatcher } from 'undici'
import type { GraphClient } from './graph.ts'
import type { InboxOptions } from './inbox.ts'
import type { Usage } from './invoke.ts'
import { isAdministrator, type Principal } from './principal.ts'
import type { SharedEmbeddings } from './search/shared-embeddings.ts'

/** Built once for each subgraph. */
export type Floor = {
  config: Config
  log: Log
  /** Connects as the subgraph's role; no row-level settings are made for you. */
  pool: Pool
  eventLog: EventLog
  keys: {
    internal: Keys /** Null where tokens come from an external issuer. */
    issuer: Keys | null
    certificate: Keys
  }
  /** The outbox has something: the relay looks at once instead of at its next poll. */
  nudge: () => void
  graph: GraphClient
  /** What agents and addresses of others are called through. */
  outbound: Dispatcher
  /** Of agents, by this subgraph; what is recorded goes to the usage topic, which has to be among its topics. */
  usage: Usage
  /** What meaning is told by; one for all subgraphs of a process. */
  embeddings: Pick<SharedEmbeddings, 'open'>
}

export type RequestContext = {
  principal: Principal
  /** Reads of this request: one read-only transaction, read committed, with the principal's row-level settings. */
  db: Db
  traceparent?: string
  /** Writes: a transaction of its own with the principal's settings. What it wrote is visible to `db` afterwards. */
  mutate: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>
  /** Gives the connection of `db` back, for as long as something else is waited for. */
  pause: () => Promise<void>
}

/** `F`: its floor, with what it adds in `prepare`. */
export type Subgraph<F extends Floor = Floor> = {
  name: string
  /** Instead of `schema/<name>.graphql`. */
  typeDefs?: string
  /** A map of types to their fields' resolvers; `DateTime` and `JSON` are there by themselves. */
  resolvers: object
  /** Adds what lives as long as the subgraph and requests need; `undo` takes what ends it. */
  prepare?(floor: Floor, undo: (step: () => Promise<void>) => void): F | Promise<F>
  /** Adds what lives as long as a request, as dataloaders. */
  context?(base: RequestContext, floor: F): RequestContext
  /** Topics that it writes, `ossa.<name>.events.v1` among them. */
  topics: readonly string[]
  inbox?: Pick<InboxOptions, 'topics' | 'handlers'>
  /** What it runs beside answering requests. */
  start?(floor: F): Promise<{ stop: () => Promise<void> }>
}

/** The row-level settings that a principal's transactions run with. */
export const settingsOf = (principal: Principal): Record<string, string> => ({
  'app.organization': principal.organization ?? '',
  'app.administrator': isAdministrator(principal) ? 'on' : 'off',
  'app.subject': principal.subject,
  'app.scopes': principal.scopes.join(' '),
  'app.internal': 'off',
})

/** Settings of relays, inboxes and schedulers: policies let these see all rows of their own schema. */
export const internalSettings: Record<string, string> = {
  'app.organization': '',
  'app.administrator': 'off',
  'app.subject': 'internal',
  'app.scopes': '',
  'app.internal': 'on',
}

/** In a principal's transaction: `fn`, and nothing after it, sees and writes all rows of the schema. */
export async function internally<T>(tx: Transaction, fn: () => Promise<T>): Promise<T> {
  // Sent one behind the other: where one fails, so do all that follow, and the commit.
  const asked = tx.query<{ before: string }>(`select current_setting('app.internal') as before`)
  const set = setInternal(tx, 'on')
  const [{ rows }, , result] = await Promise.all([asked, set, fn()])
  await setInternal(tx, rows[0]?.before ?? 'off')
  return result
}

const setInternal = async (tx: Transaction, value: string) =>
  await tx.query(`select set_config('app.internal', $1, true)`, [value])
