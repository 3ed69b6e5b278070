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

/**
 * `duplex` is the socket below. `bytesOf` a result are those of its text and a closing brace. The first ping comes when
 * `turn` seconds are over.
 */
export function openPeer(
  { socket, duplex, turn }: { socket: WebSocket; duplex: Duplex; turn: number },
  talk: (connection: Omit<Connection, 'headers' | 'address'>) => Conversation,
  limits: Limits,
  bytesOf: (result: Result) => Buffer,
): Peer {
  const perSecond = limits.socketMessagesPerSecond
  const rate = { perSecond, burst: 2 * perSecond }
  const bucket = { left: rate.burst, at: performance.now() }
  let isAwaitingRoom = false
  let isAnswered = true
  let secondsToPing = turn
  let hasTaken = false
  let untakenBytes: number | undefined = 0
  let quietSeconds = 0

  const hasRoom = (): boolean => {
    if (duplex.writableLength <= limits.socketBufferBytes) return true
    isAwaitingRoom = true
    return false
  }

  // With an error too, after which the socket closes.
  const written = (): void => {
    hasTaken = true
    if (!isAwaitingRoom || duplex.writableLength > limits.socketBufferBytes) return
    isAwaitingRoom = false
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

  function closeWhenSlow(): void {
    const before = untakenBytes
    untakenBytes = untakenOf(duplex)
    const isQuiet = duplex.writableLength > 0 && !hasTaken && untakenBytes === before
    hasTaken = false
    quietSeconds = isQuiet ? quietSeconds + 1 : 0
    if (quietSeconds >= limits.slowSeconds)
      close(tryAgainLater, `too slow: nothing of what waits was taken for ${quietSeconds} s`)
  }

  const conversation = talk({
    send(message) {
      if (socket.readyState !== socket.OPEN) return
      socket.send(message, written)
      if (!hasRoom()) socket.pause()
    },
    sendResult(head, result) {
      if (socket.readyState === socket.OPEN) writeText(duplex, head, bytesOf(result), written)
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
  return {
    close,
    cut: () => socket.terminate(),
    attend() {
      if (socket.readyState !== socket.OPEN) return
      if (--secondsToPing <= 0) keepAlive()
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

// What the kernel has not taken of the write under way: of a long one nothing else is told before its end. Node keeps it
// for time-outs of its own, which what is read puts off too.
const untakenOf = (duplex: Duplex): number | undefined =>
  (duplex as Duplex & { _handle?: { writeQueueSize?: number } })._handle?.writeQueueSize
