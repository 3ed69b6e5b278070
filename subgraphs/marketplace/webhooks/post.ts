import { type Dispatcher, request } from 'undici'

export type Reply = {
  /** Null where there was no answer. */
  statusCode: number | null
  /** Null where it was taken, which is 200 to 299. */
  error: string | null
  durationMs: number
  /** How long the other side wants to be left alone. */
  retryAfterMs: number
}

export type Target = {
  url: string
  outbound: Dispatcher
  timeoutMs: number
  /** Throws its reason. */
  signal: AbortSignal
}

const mostBytesRead = 16 * 1024
const longestError = 500
const longestRetryAfterMs = 24 * 60 * 60 * 1_000

/** One request, bounded in time from the connection to the last byte that is read. Redirects are not followed. */
export async function post(
  { url, outbound, timeoutMs, signal }: Target,
  body: string,
  headers: Record<string, string>,
): Promise<Reply> {
  const startedAt = performance.now()
  const replied = (statusCode: number | null, error: string | null, retryAfterMs = 0): Reply => ({
    statusCode,
    error: error?.slice(0, longestError) ?? null,
    durationMs: Math.round(performance.now() - startedAt),
    retryAfterMs,
  })
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const {
      statusCode,
      headers: told,
      body: answer,
    } = await request(url, {
      method: 'POST',
      dispatcher: outbound,
      headers: { 'content-type': 'application/json', 'user-agent': 'community-webhooks/1', ...headers },
      body,
      signal: AbortSignal.any([deadline, signal]),
    })
    const reply = replied(statusCode, refusalIn(statusCode), retryAfterIn(told['retry-after']))
    // The status is all that counts: of a body only so much is read that its connection can be used again.
    await answer.dump({ limit: mostBytesRead, signal: deadline }).catch(() => undefined)
    return reply
  } catch (error) {
    signal.throwIfAborted()
    return replied(null, deadline.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error))
  }
}

function refusalIn(statusCode: number): string | null {
  if (statusCode >= 200 && statusCode < 300) return null
  return statusCode >= 300 && statusCode < 400
    ? `HTTP ${statusCode}: redirects are not followed`
    : `HTTP ${statusCode}`
}

/** In seconds, or a date. */
function retryAfterIn(header: string | string[] | undefined): number {
  if (typeof header !== 'string') return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), longestRetryAfterMs)
}

// Where each address of a name has failed in its own way, the error that holds them says nothing.
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join('; ')
  return error instanceof Error ? error.message || error.name : String(error)
}
