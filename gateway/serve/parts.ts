import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** How an answer that comes in parts is sent: multipart/mixed (RFC 2046), or server-sent events (graphql-sse, distinct connections). */
export type PartFormat = 'multipart' | 'events'

/** Sends the parts, JSON texts, as they come; ends early when the client has left. */
export async function sendParts(
  response: ServerResponse,
  format: PartFormat,
  parts: AsyncIterable<string>,
): Promise<void> {
  const { contentType, begin, part, end } = formats[format]
  response.writeHead(200, {
    'content-type': contentType,
    'cache-control': 'no-store',
    // Proxies that collect answers would make one of the parts.
    'x-accel-buffering': 'no',
  })
  response.write(begin)
  for await (const text of parts) {
    if (response.destroyed) return
    if (!response.write(part(text))) await Promise.race([once(response, 'drain'), once(response, 'close')])
  }
  response.end(end)
}

const formats: Record<
  PartFormat,
  { contentType: string; begin: string; part: (text: string) => string; end: string }
> = {
  multipart: {
    contentType: 'multipart/mixed; boundary="-"; deferSpec=20220824',
    begin: '\r\n---',
    part: (text) => `\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${text}\r\n---`,
    end: '--\r\n',
  },
  events: {
    contentType: 'text/event-stream',
    begin: ':\n\n',
    part: (text) => `event: next\ndata: ${text}\n\n`,
    end: 'event: complete\ndata:\n\n',
  },
}
