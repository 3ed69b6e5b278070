import type { Duplex } from 'node:stream'
import { CloseCode } from 'graphql-ws'
import type { WebSocket } from 'ws'
import type { Limits } from '../guard/limits.ts'
import { takeOne } from '../guard/rate.ts'
import type { Result } from '../subscribe/sink.ts'
import { writeText } from './frame.ts'
import type { Connection, Conversation } from './protocol.ts'

/** One client's socket, within its bounds. */
export type Peer = {
  close: (code: number, reason: string) => void
  /** Without a word. */
  cut: () => void
  /** Called every second. */
  attend: () => void
}

const pingSeconds = 12
const tryAgainLater = 1013
const nothing = Buffer.alloc(0)

/** `duplex` is the socket below; `bytesOf` a result are those of its text and a closing brace. */
export function openPeer(
  { socket, duplex }: { socket: WebSocket; duplex: Duplex },
  talk: (connection: Omit<Connection, 'headers' | 'address'>) => Conversation,
  limits: Limits,
  bytesOf: (result: Result) => Buffer,
): Peer {
  const perSecond = limits.socketMessagesPerSecond
  const rate = { perSecond, burst: 2 * perSecond }
  const bucket = { left: rate.burst, at: performance.now() }
  let isAwaitingRoom = false
  let isAnswered = true
  // Not those of all sockets at once.
  let secondsToPing = 1 + Math.floor(Math.random() * pingSeconds)
  let takenBytes = 0
  let quietSeconds = 0

  const hasRoom = (): boolean => {
    if (duplex.writableLength <= limits.socketBufferBytes) return true
    // A callback for each message would be a tenth of what a message costs.
    if (!isAwaitingRoom) duplex.write(nothing, taken)
    isAwaitingRoom = true
    return false
  }

  // All that waited. After an error the socket closes, and nothing more can be sent.
  const taken = (error?: Error | null): void => {
    isAwaitingRoom = false
    if (error) return
    socket.resume()
    conversation.drained()
  }

  const close = (code: number, reason: string): void => {
    // The client's answer has to be read.
    socket.resume()
    socket.close(code, fitting(reason))
    conversation.closed()
  }

  const isTooMuch = (): boolean => {
    if (takeOne(bucket, rate, performance.now())) return false
    close(CloseCode.TooManyInitialisationRequests, `more than ${perSecond} messages a second: send fewer`)
    return true
  }

  function keepAlive() {
    secondsToPing = pingSeconds
    // A ping would wait behind what waits; whether that is ever taken is watched anyway.
    const isAwaited = duplex.writableLength === 0
    if (isAwaited && !isAnswered) return socket.terminate()
    isAnswered = !isAwaited
    if (isAwaited) socket.ping()
  }

  function closeWhenSlow() {
    const before = takenBytes
    takenBytes = takenOf(duplex)
    quietSeconds = duplex.writableLength > 0 && takenBytes === before ? quietSeconds + 1 : 0
    if (quietSeconds < limits.slowSeconds) return
    // A client that has said goodbye, or does not answer ours, and takes nothing is cut.
    if (socket.readyState !== socket.OPEN) return socket.terminate()
    close(tryAgainLater, `too slow: nothing of what waits was taken for ${quietSeconds} s`)
    quietSeconds = 0
  }

  const conversation = talk({
    send(message) {
      if (socket.readyState !== socket.OPEN) return
      socket.send(message)
      if (!hasRoom()) socket.pause()
    },
    sendResult(head, result) {
      if (socket.readyState === socket.OPEN) writeText(duplex, head, bytesOf(result))
    },
    hasRoom,
    close,
  })
  socket
    .on('message', (message: Buffer, isBinary) => {
      if (socket.readyState !== socket.OPEN || isTooMuch()) return
      if (isBinary) return close(CloseCode.BadRequest, 'expected text')
      // It has been found to be UTF-8.
      conversation.received(message.toString())
    })
    .on('ping', isTooMuch)
    .on('pong', () => {
      isAnswered = true
    })
    // A frame that is none, or too large: `ws` closes with the code that tells it.
    .on('error', () => conversation.closed())
    .once('close', () => conversation.closed())
  duplex.once('end', () => conversation.closed())
  return {
    close,
    cut: () => socket.terminate(),
    attend() {
      if (socket.readyState === socket.OPEN && --secondsToPing === 0) keepAlive()
      closeWhenSlow()
    },
  }
}

/** What fits in a close frame. */
const fitting = (reason: string): string =>
  Buffer.from(reason)
    .subarray(0, 123)
    .toString()
    .replace(/\uFFFD+$/, '')

// What the kernel has taken so far. Of a long write under way nothing else is told before its end; Node keeps these two
// for time-outs of its own, which what is read puts off too.
function takenOf(duplex: Duplex): number {
  const { _handle: handle } = duplex as Duplex & {
    _handle: { bytesWritten: number; writeQueueSize: number } | null
  }
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0
}
