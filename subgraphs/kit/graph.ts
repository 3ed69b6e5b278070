import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@community/infra/log.ts'
import { request } from 'undici'
import { z } from 'zod'
import { readText } from './body.ts'

export type GraphClient = {
  /** The answer's `data`. Throws GraphError where there are errors, also beside partial data. */
  ask<T = Record<string, unknown>>(
    query: string,
    variables: Record<string, unknown>,
    /** The caller's JWT; null asks anonymously. */
    token: string | null,
    signal?: AbortSignal,
  ): Promise<T>
}

/** What the graph answered instead of data; `codes` are those of its errors, UNREACHABLE where there was no answer. */
export class GraphError extends Error {
  readonly codes: readonly string[]
  constructor(message: string, codes: readonly string[], options?: ErrorOptions) {
    super(message, options)
    this.name = 'GraphError'
    this.codes = codes
  }
}

const deadlineMs = 15_000
const againAfterMs = 500
const maxAnswerBytes = 16 * 1024 * 1024

const answer = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(
      z.object({ message: z.string(), extensions: z.object({ code: z.string().optional() }).optional() }),
    )
    .optional(),
})

/** Asks the gateway at `url`, within 15 s. */
export const graphClient = ({ url, log }: { url: string; log: Log }): GraphClient => ({
  async ask<T>(
    query: string,
    variables: Record<string, unknown>,
    token: string | null,
    signal?: AbortSignal,
  ) {
    const startedAt = performance.now()
    const { status, text } = await post(url, JSON.stringify({ query, variables }), token, signal)
    log.debug({ status, ms: Math.round(performance.now() - startedAt) }, 'the graph answered')
    const parsed = answer.safeParse(jsonOf(text))
    if (!parsed.success)
      throw new GraphError(`the graph answered ${status} without a result`, ['UNREACHABLE'])
    const { data, errors = [] } = parsed.data
    const [first] = errors
    if (first || !data)
      throw new GraphError(
        first?.message ?? `the graph answered ${status} without data`,
        errors.map((error) => error.extensions?.code ?? 'INTERNAL'),
      )
    return data as T
  },
})

/** A gateway or a subgraph that starts again is back within seconds. */
const away: readonly string[] = ['UNREACHABLE', 'SUBGRAPH_UNAVAILABLE']

/** Whether it is for the graph's sake, and not for that of what was asked. */
export const isAway = ({ codes }: GraphError): boolean => codes.some((code) => away.includes(code))

/** Of reads: asks again while the graph, or what of it is asked for, is away, at most `forMs`. */
export const patient = (graph: GraphClient, forMs: number): GraphClient => ({
  async ask(query, variables, token, signal) {
    const until = Date.now() + forMs
    for (;;)
      try {
        return await graph.ask(query, variables, token, signal)
      } catch (error) {
        const isOver = Date.now() + againAfterMs > until || signal?.aborted === true
        if (isOver || !(error instanceof GraphError) || !isAway(error)) throw error
        await sleep(againAfterMs, undefined, { signal })
      }
  },
})

async function post(url: string, body: string, token: string | null, signal?: AbortSignal) {
  const deadline = AbortSignal.timeout(deadlineMs)
  try {
    const response = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body,
      signal: signal ? AbortSignal.any([deadline, signal]) : deadline,
    })
    const text = await readText(response.body, maxAnswerBytes)
    if (text === null) throw new Error(`the answer is larger than ${maxAnswerBytes} bytes`)
    return { status: response.statusCode, text }
  } catch (error) {
    const reason = deadline.aborted ? `no answer within ${deadlineMs} ms` : String(error)
    throw new GraphError(`the graph could not be asked: ${reason}`, ['UNREACHABLE'], { cause: error })
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
