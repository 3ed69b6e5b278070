import type { IncomingHttpHeaders } from 'node:http'
import type { GraphQLFormattedError } from 'graphql'
import { type Dispatcher, Pool } from 'undici'
import { z } from 'zod'
import { isObject, type JsonObject } from './merge.ts'

/** Headers of one client request that go with each of its fetches, by their names. */
export type ForwardedHeaders = Record<string, string>

export type SubgraphAnswer = {
  data: JsonObject | null
  errors: GraphQLFormattedError[]
  /** Of a response with status 200. */
  headers: IncomingHttpHeaders | null
}

export type Subgraphs = {
  /** Throws SubgraphUnavailable where there was no GraphQL answer, and the signal's reason when it fires. */
  ask(
    subgraph: string,
    /** The request's JSON. */
    body: string,
    headers: ForwardedHeaders,
    signal: AbortSignal | undefined,
  ): Promise<SubgraphAnswer>
  close(): Promise<void>
}

export class SubgraphUnavailable extends Error {
  readonly subgraph: string
  constructor(subgraph: string, why: string, options?: ErrorOptions) {
    super(`the subgraph ${subgraph} is unavailable: ${why}`, options)
    this.name = 'SubgraphUnavailable'
    this.subgraph = subgraph
  }
}

type Options = {
  deadlineMs: number
  maxAnswerBytes: number
  connections: number
  observe: (subgraph: string, seconds: number, outcome: 'ok' | 'error') => void
}

/** A pool of connections for each subgraph. */
export function openSubgraphs(urls: ReadonlyMap<string, string>, options: Options): Subgraphs {
  const subgraphs = new Map(
    [...urls].map(([name, url]) => {
      const { origin, pathname, search } = new URL(url)
      const pool = new Pool(origin, {
        connections: options.connections,
        connect: { timeout: Math.min(options.deadlineMs, 5_000) },
        headersTimeout: 0,
        bodyTimeout: 0,
      })
      return [name, { pool, path: pathname + search }]
    }),
  )
  return {
    async ask(name, body, headers, signal) {
      const subgraph = subgraphs.get(name)
      if (!subgraph) throw new SubgraphUnavailable(name, 'it has no address')
      const startedAt = performance.now()
      let outcome: 'ok' | 'error' = 'error'
      try {
        const response = await post(subgraph.pool, subgraph.path, body, headers, options, signal)
        const answer = readAnswer(name, response)
        outcome = 'ok'
        return answer
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        if (error instanceof SubgraphUnavailable) throw error
        throw new SubgraphUnavailable(name, reasonOf(error), { cause: error })
      } finally {
        options.observe(name, (performance.now() - startedAt) / 1000, outcome)
      }
    },
    async close() {
      await Promise.all([...subgraphs.values()].map(({ pool }) => pool.destroy()))
    },
  }
}

type Response = { status: number; headers: IncomingHttpHeaders; body: Buffer }

// `dispatch` and not `request`: no stream is made for a body that is read as a whole.
function post(
  pool: Pool,
  path: string,
  body: string,
  forwarded: ForwardedHeaders,
  { deadlineMs, maxAnswerBytes }: Options,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const chunks: Buffer[] = []
  let status = 0
  let headers: IncomingHttpHeaders = {}
  let sizeBytes = 0
  let controller: Dispatcher.DispatchController | null = null
  const cancel = (reason: Error) => {
    controller?.abort(reason)
    reject(reason)
  }
  const onAbort = () => cancel(new Error('the request was given up'))
  const timer = setTimeout(() => cancel(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs)
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
      },
      onResponseStart(_controller, statusCode, received) {
        status = statusCode
        headers = received
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk)
        sizeBytes += chunk.length
        if (sizeBytes > maxAnswerBytes) cancel(new Error(`its answer is larger than ${maxAnswerBytes} bytes`))
      },
      onResponseEnd: () =>
        resolve({ status, headers, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }),
      onResponseError: (_controller, error) => reject(error),
    },
  )
  return promise.finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  })
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
  const answer = parseJson(body)
  const { data = null, errors: given } = isObject(answer) ? answer : {}
  const errors = given === undefined || given === null ? [] : listedErrors.safeParse(given).data
  if ((data !== null && !isObject(data)) || !errors || (data === null && errors.length === 0))
    throw new SubgraphUnavailable(subgraph, `it answered ${status} with what is not a GraphQL answer`)
  return {
    data,
    errors: errors.map(({ message, path, extensions }) => ({
      message,
      ...(path ? { path } : {}),
      ...(extensions ? { extensions } : {}),
    })),
    headers: status === 200 ? headers : null,
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
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_'
  if (code === 'ECONNREFUSED') return 'connection refused'
  if (code.startsWith('ERR_')) return error instanceof Error ? error.message : String(error)
  return code
}
