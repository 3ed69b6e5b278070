import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** How an answer that comes in parts is sent: multipart/mixed (RFC 2046), or server-sent events (graphql-sse, distinct connections). */
export type PartFormat = 'multipart' | 'events'

export type Framing = { contentType: string; begin: string; part: (text: string) => string; end: string }

/** Sends the parts, JSON texts, as they come; ends early when the client has left. */
export async function sendParts(
  response: ServerResponse,
  format: PartFormat,
  parts: AsyncIterable<string>,
): Promise<void> {
  const { contentType, begin, part, end } = formats[format]
  response.writeHead(200, partHeaders(contentType)).write(begin)
  // Also with an error.
  const closed = once(response, 'close').catch(() => undefined)
  for await (const text of parts) {
    if (response.destroyed) return
    if (!response.write(part(text))) await Promise.race([once(response, 'drain'), closed])
  }
  response.end(end)
}

export const partHeaders = (contentType: string) => ({
  'content-type': contentType,
  'cache-control': 'no-store',
  // Proxies that collect answers would make one of the parts.
  'x-accel-buffering': 'no',
})

/** The boundary follows each part at once: who reads it knows that the part is all there. */
export const multipart = (boundary: string, parameter: string): Framing => ({
  contentType: `multipart/mixed; boundary="${boundary}"; ${parameter}`,
  begin: `\r\n--${boundary}`,
  part: (text) => `\r\ncontent-type: application/json\r\n\r\n${text}\r\n--${boundary}`,
  end: '--\r\n',
})

export const events: Framing = {
  contentType: 'text/event-stream',
  begin: ':\n\n',
  part: (text) => `event: next\ndata: ${text}\n\n`,
  end: 'event: complete\ndata:\n\n',
}

const formats: Record<PartFormat, Framing> = { multipart: multipart('-', 'deferSpec=20220824'), events }
