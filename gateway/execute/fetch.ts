import type { IncomingHttpHeaders } from 'node:http'
import type { GraphQLFormattedError } from 'graphql'
import { type Dispatcher, Pool } from 'undici'
import { z } from 'zod'
import type { OperationTrace } from '../telemetry.ts'
import { isObject, type JsonObject } from './merge.ts'

/** Headers of one client request that go with each of its fetches, by their names. */
export type ForwardedHeaders = Record<string, string>

export type SubgraphResult = {
  data: JsonObject | null
  errors: GraphQLFormattedError[]
}

export type SubgraphAnswer = SubgraphResult & {
  /** The HTTP status: a GraphQL answer may come with any. */
  status: number
  /** Of a response with status 200. */
  headers: IncomingHttpHeaders | null
}

/** What is asked of a subgraph. */
export type Ask = {
  /** The request's JSON. */
  body: string
  headers: ForwardedHeaders
  signal: AbortSignal | undefined
  /** Whether asking twice does no harm. */
  isRead: boolean
  trace: OperationTrace | null
}

/** One on its way: what each policy and the exchange itself see. */
export type SubgraphRequest = Ask & {
  /** When the answer must be there, on the clock of `performance.now()`. */
  until: number
  deadlineMs: number
  /** How often it was sent. */
  attempts: number
}

/** Throws SubgraphUnavailable where there was no GraphQL answer, and the signal's reason when it fires. */
export type Exchange = (request: SubgraphRequest) => Promise<SubgraphAnswer>

export type FailureReason =
  | 'NO_ADDRESS'
  | 'CONNECTION'
  | 'TIMEOUT'
  | 'BAD_ANSWER'
  | 'TOO_LARGE'
  | 'OVERLOADED'
  | 'BREAKER_OPEN'

export class SubgraphUnavailable extends Error {
  readonly subgraph: string
  readonly reason: FailureReason
  /** Of the HTTP answer; null where none came. */
  readonly status: number | null
  constructor(
    subgraph: string,
    reason: FailureReason,
    why: string,
    { status = null, ...options }: ErrorOptions & { status?: number | null } = {},
  ) {
    super(`the subgraph ${subgraph} is unavailable: ${why}`, options)
    this.name = 'SubgraphUnavailable'
    this.subgraph = subgraph
    this.reason = reason
    this.status = status
  }
}

type Options = {
  connectMs: number
  maxAnswerBytes: number
  connections: number
}

/** A pool of connections to a subgraph. */
export function openExchange(
  subgraph: string,
  url: string,
  { connectMs, maxAnswerBytes, connections }: Options,
): { exchange: Exchange; close: () => Promise<void> } {
  const { origin, pathname, search } = new URL(url)
  const path = pathname + search
  const pool = new Pool(origin, {
    connections,
    connect: { timeout: connectMs },
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  return {
    async exchange(request) {
      try {
        return readAnswer(subgraph, await post(subgraph, pool, path, request, maxAnswerBytes))
      } catch (error) {
        if (request.signal?.aborted) throw request.signal.reason
        if (error instanceof SubgraphUnavailable) throw error
        throw new SubgraphUnavailable(subgraph, 'CONNECTION', reasonOf(error), { cause: error })
      }
    },
    close: () => pool.destroy(),
  }
}

type Response = { status: number; headers: IncomingHttpHeaders; body: Buffer }

// `dispatch` and not `request`: no stream is made for a body that is read as a whole.
function post(
  subgraph: string,
  pool: Pool,
  path: string,
  { body, headers: forwarded, signal, until, deadlineMs }: SubgraphRequest,
  maxAnswerBytes: number,
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const chunks: Buffer[] = []
  let status = 0
  let headers: IncomingHttpHeaders = {}
  let sizeBytes = 0
  let controller: Dispatcher.DispatchController | null = null
  let cancelledBy: Error | null = null
  const end = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  const cancel = (reason: Error) => {
    end()
    cancelledBy = reason
    controller?.abort(reason)
    reject(reason)
  }
  const onAbort = () => cancel(new Error('the request was given up'))
  const timer = setTimeout(
    () => cancel(new SubgraphUnavailable(subgraph, 'TIMEOUT', `no answer within ${deadlineMs} ms`)),
    until - performance.now(),
  )
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  pool.dispatch(
    {
      path,
      method: 'POST',
      headers: {
        ...forwarded,
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
      },
      body,
    },
    {
      onRequestStart(started) {
        controller = started
        // It may have been given up while it waited for a connection, which nobody else would free.
        if (cancelledBy) started.abort(cancelledBy)
      },
      onResponseStart(_controller, statusCode, received) {
        status = statusCode
        headers = received
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk)
        sizeBytes += chunk.length
        if (sizeBytes > maxAnswerBytes)
          cancel(
            new SubgraphUnavailable(
              subgraph,
              'TOO_LARGE',
              `its answer is larger than ${maxAnswerBytes} bytes`,
              { status },
            ),
          )
      },
      onResponseEnd() {
        end()
        resolve({ status, headers, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) })
      },
      onResponseError(_controller, error) {
        end()
        reject(error)
      },
    },
  )
  return promise
}

const listedErrors = z.array(
  z.object({
    message: z.string(),
    path: z.array(z.union([z.string(), z.number()])).nullish(),
    extensions: z.record(z.string(), z.unknown()).nullish(),
  }),
)

// Servers answer 4xx and 5xx with GraphQL errors too: what counts is whether the body is a GraphQL answer.
function readAnswer(subgraph: string, { status, headers, body }: Response): SubgraphAnswer {
  const result = resultIn(parseJson(body))
  if (!result)
    throw new SubgraphUnavailable(
      subgraph,
      'BAD_ANSWER',
      `it answered ${status} with what is not a GraphQL answer`,
      { status },
    )
  return { ...result, status, headers: status === 200 ? headers : null }
}

/** What a subgraph sent as a GraphQL result; null where it is none. */
export function resultIn(value: unknown): SubgraphResult | null {
  const { data = null, errors: given } = isObject(value) ? value : {}
  const errors = given === undefined || given === null ? [] : listedErrors.safeParse(given).data
  if ((data !== null && !isObject(data)) || !errors || (data === null && errors.length === 0)) return null
  return {
    data,
    errors: errors.map(({ message, path, extensions }) => ({
      message,
      ...(path ? { path } : {}),
      ...(extensions ? { extensions } : {}),
    })),
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

// Addresses and ports stay in the log.
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_'
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'the connection broke'
  if (code.startsWith('ERR_')) return error instanceof Error ? error.message : String(error)
  return code
}
