import type { ServerResponse } from 'node:http'
import type { GraphQLFormattedError } from 'graphql'
import type { Limits } from '../guard/limits.ts'
import { refusal } from '../refusal.ts'
import type { Sink, Subscription } from '../subscribe/sink.ts'
import { at } from './at.ts'
import { inBatches } from './batches.ts'
import { events, multipart, partHeaders } from './parts.ts'

/** How a subscription is sent over HTTP: server-sent events (graphql-sse, distinct connections), or Apollo's multipart subscriptions 1.0. */
export type StreamFormat = 'events' | 'multipart'

/** A subscription that was let in. It begins when it is watched. */
export type Watchable = {
  watch: (sink: Sink) => Subscription
  /** In milliseconds since 1970; null: never. */
  expiresAt: number | null
}

export type Streams = {
  /**
   * Sends the results until the subscription ends, the client leaves, the token expires or the streams are closed.
   * `refuse` may answer where it fails before anything was sent, and tells whether it did.
   */
  open(
    response: ServerResponse,
    format: StreamFormat,
    watchable: Watchable,
    refuse: (errors: readonly GraphQLFormattedError[]) => boolean,
  ): void
  /** Ends all that are open, as complete: their clients subscribe elsewhere. */
  close(): Promise<void>
}

/** `gauge` counts connections. Who takes nothing for `slowSeconds` while bytes wait is cut. */
export function createStreams(
  gauge: { inc(): void; dec(): void },
  { socketBufferBytes, slowSeconds }: Pick<Limits, 'socketBufferBytes' | 'slowSeconds'>,
  heartbeatMs: Record<StreamFormat, number> = usualHeartbeatMs,
): Streams {
  const streams = new Set<() => void>()
  return {
    open(response, format, { watch, expiresAt }, refuse) {
      const { contentType, begin, result, failure, heartbeat, end } = formats[format]
      let begun = false
      let waitsForRoom = false
      const hasRoom = () => response.writableLength < socketBufferBytes

      const begins = (text: string) => {
        if (begun) return text
        begun = true
        response.writeHead(200, partHeaders(contentType))
        return begin + text
      }
      const write = (text: string) => response.write(begins(text), onTaken)
      // Not on `drain`, which comes only where more waits than Node's own mark.
      const onTaken = () => {
        if (!waitsForRoom || !streams.has(stop) || !hasRoom()) return
        waitsForRoom = false
        subscription.resume()
      }
      const finish = (errors?: readonly GraphQLFormattedError[]) => {
        leave()
        if (errors && !begun && refuse(errors)) return
        response.end(begins(errors ? failure(errors) + end : end))
      }
      const stop = (errors?: readonly GraphQLFormattedError[]) => {
        subscription.close()
        finish(errors)
      }

      const beating = setInterval(() => {
        if (response.writableLength === 0) write(heartbeat)
      }, heartbeatMs[format]).unref()
      const stopExpiring = expiresAt === null ? null : at(expiresAt, () => stop([expired()]))
      const leave = () => {
        streams.delete(stop)
        clearInterval(beating)
        stopExpiring?.()
      }

      gauge.inc()
      streams.add(stop)
      response.once('close', () => {
        gauge.dec()
        if (!streams.has(stop)) return
        leave()
        subscription.close()
      })
      // Fires where nothing moves on the socket; what is live moves with every heartbeat.
      response.setTimeout(slowSeconds * 1_000, () => response.destroy())
      const subscription = watch({
        hasRoom() {
          waitsForRoom = !hasRoom()
          return !waitsForRoom
        },
        next: ({ text }) => void write(result(text)),
        end: finish,
      })
    },
    async close() {
      await inBatches([...streams], (stop) => {
        if (streams.has(stop)) stop()
      })
    },
  }
}

const usualHeartbeatMs = { events: 12_000, multipart: 5_000 }

const parts = multipart('graphql', 'subscriptionSpec=1.0')
const formats = {
  events: {
    ...events,
    result: events.part,
    failure: (errors: readonly GraphQLFormattedError[]) => events.part(JSON.stringify({ errors })),
    heartbeat: ':\n\n',
  },
  multipart: {
    ...parts,
    result: (text: string) => parts.part(`{"payload":${text}}`),
    failure: (errors: readonly GraphQLFormattedError[]) =>
      parts.part(JSON.stringify({ payload: null, errors })),
    heartbeat: parts.part('{}'),
  },
}

const expired = () => refusal('UNAUTHENTICATED', 'the token has expired').toJSON()
