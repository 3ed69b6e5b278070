import {
  Client,
  type ClientBase,
  type ClientConfig,
  escapeLiteral,
  Pool as PgPool,
  type PoolClient,
} from 'pg'
import { statementNames } from './statement-names.ts'

export type Db = {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    params?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null; command: string }>
}

/** What is written through it is committed or rolled back as one. */
export type Transaction = Db & { readonly transaction: true }

/** A connection of one's own, for locks that live as long as a session. */
export type Session = Db & {
  /** Fires once when the connection is lost; never after `release`. */
  readonly lost: AbortSignal
  /** `broken` closes the connection instead of handing it back. */
  release(broken?: boolean): void
}

export type Pool = Db & {
  connect(): Promise<Session>
  end(): Promise<void>
}

export type PoolOptions = {
  /** May list several hosts, `postgres://user@one:5432,two:5432/name`: the one that takes writes is used. */
  url: string
  /** Also the schema that unqualified names stand for. */
  role: string
  applicationName: string
  max?: number
  statementTimeoutMs?: number
}

const connectTimeoutMs = 5_000
const acquireTimeoutMs = 15_000
const statementName = statementNames()

export function createPool(options: PoolOptions): Pool {
  const { url, role, applicationName, max = 10, statementTimeoutMs = 15_000 } = options
  if (!/^[a-z_]+$/.test(role)) throw new Error(`${role} is no role of ours`)
  const urls = hostUrls(url)
  let current = 0
  const clientOptions = (): ClientConfig => ({
    connectionString: urls[current] ?? url,
    application_name: applicationName,
    options: `-c role=${role} -c search_path=${role}`,
    statement_timeout: statementTimeoutMs,
    // The server may be gone without a word: the client stops waiting a little after the server would have.
    query_timeout: statementTimeoutMs + 5_000,
    idle_in_transaction_session_timeout: 60_000,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    // A statement need not wait for the answer to the one before.
    pipeline: true,
  })
  const pool = new PgPool({
    max,
    connectionTimeoutMillis: acquireTimeoutMs,
    idleTimeoutMillis: 30_000,
    // The pool calls `new Client()` for each connection: it goes to the host that was last seen to take writes.
    Client: function PrimaryClient() {
      return new Client(clientOptions())
    } as unknown as typeof Client,
    // Declared void, awaited all the same.
    // oxlint-disable-next-line typescript/no-misused-promises
    ...(urls.length > 1 && { onConnect: refuseStandby }),
  })
  // An idle connection that breaks is dropped by the pool; the next query opens another or fails by itself.
  pool.on('error', () => undefined)

  const connect = async (): Promise<Session> => {
    for (let attempt = 1; ; attempt++) {
      const tried = current
      try {
        return session(await pool.connect())
      } catch (error) {
        if (attempt >= urls.length || !isConnectionError(error)) throw error
        if (current === tried) current = (current + 1) % urls.length
      }
    }
  }
  return {
    connect,
    async query<Row extends object>(text: string, params?: readonly unknown[]) {
      const client = await connect()
      try {
        const result = await client.query<Row>(text, params)
        client.release()
        return result
      } catch (error) {
        client.release(isConnectionError(error))
        throw error
      }
    },
    end: () => pool.end(),
  }
}

/** A connection outside of pools, to the host that takes writes; `url` may list several. */
export async function connectToPrimary(url: string, applicationName: string): Promise<Client> {
  let failure: unknown
  for (const connectionString of hostUrls(url)) {
    const client = new Client({
      connectionString,
      application_name: applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
    })
    try {
      await client.connect()
      await refuseStandby(client)
      return client
    } catch (error) {
      failure = error
      await client.end().catch(() => undefined)
    }
  }
  throw failure
}

/** Runs `fn` in a transaction with `settings` (as `app.organization`) local to it; rolled back if it throws. */
export async function inTransaction<T>(
  pool: Pool,
  settings: Record<string, string>,
  fn: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let open = true
  try {
    const begun = client.query(beginStatement('begin', settings))
    // Where it fails, what is sent behind it fails as well, or the commit does.
    begun.catch(() => undefined)
    const result = await fn({
      transaction: true,
      query(text, params) {
        if (!open) throw new Error('the transaction is over')
        return client.query(text, params)
      },
    })
    open = false
    await begun
    const { command } = await client.query('commit')
    // After a statement that failed and was forgiven the server answers so, and raises no error.
    if (command === 'ROLLBACK')
      throw new Error('the transaction was rolled back: one of its statements failed')
    client.release()
    return result
  } catch (error) {
    open = false
    await rollback(client)
    throw error
  }
}

/** Each query in a transaction of its own with `settings` local to it, in one round trip. */
export const inTransactions = (pool: Pool, settings: Record<string, string>): Db => ({
  async query<Row extends object>(text: string, params?: readonly unknown[]) {
    const client = await pool.connect()
    const [begun, queried, committed] = await Promise.allSettled([
      client.query(beginStatement('begin', settings)),
      client.query<Row>(text, params),
      client.query('commit'),
    ])
    for (const each of [begun, queried, committed])
      if (each.status === 'rejected') {
        client.release(each !== queried || isConnectionError(each.reason))
        throw each.reason
      }
    client.release()
    // What rejects has thrown.
    return (queried as PromiseFulfilledResult<{ rows: Row[]; rowCount: number | null; command: string }>)
      .value
  },
})

/** A query of a request that was answered, or whose client has gone. */
export class RequestOver extends Error {}

export type LazyTransaction = Db & {
  /** Commits what is open and gives the connection back; the next query begins anew. */
  pause(): Promise<void>
  /** As `pause`, for good: later queries are refused. May be called more than once. */
  end(): Promise<void>
}

/**
 * A read-only transaction (read committed) that begins with the first query, on one connection, queries one after the
 * other. A failed query does not spoil those after it.
 */
export function lazyTransaction(
  pool: Pool,
  settings: Record<string, string>,
  onStatement?: (text: string) => void,
): LazyTransaction {
  let client: Session | null = null
  let begun: Promise<unknown> | null = null
  let ended = false
  const serially = oneAtATime()

  const pause = () =>
    serially(async () => {
      const open = client
      client = null
      if (!open) return
      try {
        await open.query('commit')
        open.release()
      } catch {
        // Nothing was written, so nothing is lost with the connection.
        open.release(true)
      }
    })

  return {
    query<Row extends object>(text: string, params?: readonly unknown[]) {
      return serially(async () => {
        if (ended) throw new RequestOver('the request is over')
        onStatement?.(text)
        if (!client) {
          client = await pool.connect()
          begun = client.query(beginStatement('begin read only', settings))
        }
        try {
          // The first is sent behind the beginning.
          const [answer] = await Promise.all([client.query<Row>(text, params), begun])
          return answer
        } catch (error) {
          const failed = client
          client = null
          await rollback(failed)
          throw error
        }
      })
    },
    pause,
    end() {
      ended = true
      return pause()
    },
  }
}

/** Whether the statement may have failed for the connection's sake, and not for its own. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (isStalePlan(error)) return true
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // 08 connection exception · 57P shutdown, crash, failover in progress · 53300 too many connections · 25006 read only
  if (/^(08...|57P0[1-5]|53300|25006)$/.test(code)) return true
  if (/^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/.test(code)) return true
  return /^(Connection terminated|Client has encountered a connection error|timeout e|timeout expired|Query read timeout)/.test(
    error.message,
  )
}

/** What it prepared has other types since a migration: only a new connection prepares it anew. */
const isStalePlan = (error: unknown): boolean =>
  error instanceof Error && error.message === 'cached plan must not change result type'

function session(client: PoolClient): Session {
  const lost = new AbortController()
  const onError = (error: Error) => lost.abort(error)
  const onEnd = () => lost.abort(new Error('the connection ended'))
  client.on('error', onError)
  client.on('end', onEnd)
  let isStale = false
  const onStatementError = (error: unknown) => {
    if (isStalePlan(error)) isStale = true
  }
  return {
    lost: lost.signal,
    query<Row extends object>(text: string, params: readonly unknown[] = []) {
      const name = params.length === 0 ? undefined : statementName(text)
      if (name === undefined) return client.query<Row>(text, [...params])
      const answer = client.query<Row>({ name, text, values: [...params] })
      answer.catch(onStatementError)
      return answer
    },
    release(broken = false) {
      client.off('end', onEnd)
      client.release(broken || isStale || lost.signal.aborted)
      client.off('error', onError)
    },
  }
}

async function rollback(client: Session): Promise<void> {
  try {
    await client.query('rollback')
    client.release()
  } catch {
    // The connection is gone, and the transaction with it; the error that led here is the one to tell.
    client.release(true)
  }
}

// One round trip: the simple protocol takes several statements, and no parameters.
function beginStatement(begin: string, settings: Record<string, string>): string {
  const calls = Object.entries(settings).map(([name, value]) => {
    if (!/^[a-z_]+\.[a-z_]+$/.test(name)) throw new Error(`${name} is no setting of ours`)
    return `set_config(${escapeLiteral(name)}, ${escapeLiteral(value)}, true)`
  })
  return calls.length === 0 ? begin : `${begin}; select ${calls.join(', ')}`
}

// pg 9 refuses a query on a connection that is still busy with another.
function oneAtATime() {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}

async function refuseStandby(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby')
  if (rows[0]?.standby) throw Object.assign(new Error('this host is a standby'), { code: '25006' })
}

// libpq's form with several hosts is no URL, and pg takes one host only.
function hostUrls(url: string): string[] {
  const parts = /^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)([^/?]*)(.*)$/.exec(url)
  if (!parts) throw new Error('a connection string looks as postgres://user:password@host:5432/name')
  const [, before = '', hosts = '', after = ''] = parts
  return hosts.split(',').map((host) => `${before}${host}${after}`)
}
