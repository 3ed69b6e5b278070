import type { IncomingHttpHeaders } from 'node:http'
import { A2A_PROTOCOL_VERSION, A2A_VERSION_HEADER } from '@a2a-js/sdk'
import { type Dispatcher, request } from 'undici'
import { readText } from '../../kit/body.ts'

export type Reply =
  | { status: number; text: string; headers: IncomingHttpHeaders }
  | { unanswered: string; isTooLong?: true }

export type Bounds = { timeoutMs: number; maxBytes: number; signal: AbortSignal }

/** One request to an agent, bounded in time and size. Redirects are not followed. */
export async function askAgent(
  url: string,
  { outbound, token, body, origin }: { outbound: Dispatcher; token?: string; body?: object; origin?: string },
  { timeoutMs, maxBytes, signal }: Bounds,
): Promise<Reply> {
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await request(url, {
      method: body ? 'POST' : 'GET',
      dispatcher: outbound,
      headers: {
        accept: 'application/json',
        [A2A_VERSION_HEADER]: A2A_PROTOCOL_VERSION,
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(origin !== undefined && { origin }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.any([deadline, signal]),
    })
    const text = await readText(response.body, maxBytes)
    return text === null
      ? { unanswered: `the answer is larger than ${maxBytes} bytes`, isTooLong: true }
      : { status: response.statusCode, text, headers: response.headers }
  } catch (error) {
    signal.throwIfAborted()
    if (deadline.aborted) return { unanswered: `no answer within ${timeoutMs} ms` }
    return { unanswered: error instanceof Error ? error.message || error.name : String(error) }
  }
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
