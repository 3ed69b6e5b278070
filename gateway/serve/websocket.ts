import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as passed } from 'node:timers/promises'
import { GraphQLError } from 'graphql'
import { CloseCode, handleProtocols } from 'graphql-ws'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { type Bucket, takeOne } from '../guard/rate.ts'
import type { Metrics } from '../metrics.ts'
import type { Result } from '../subscribe/sink.ts'
import { writeText } from './frame.ts'
import { type Gate, timesGiven } from './http.ts'
import { type Conversation, converse, type SocketOperations } from './protocol.ts'

export type SocketServer = {
  /** No socket opens from now on; those that are open are closed when `ended` is. */
  close(ended: Promise<void>): Promise<void>
}

/** A socket and what is watched of it. */
type Peer = {
  socket: WebSocket
  /** The socket below. */
  duplex: Duplex
  conversation: Conversation
  close(code: number, reason: string): void
  /** In which of the seconds between two pings it gets its own. */
  turn: number
  isAnswered: boolean
  /** Of the last second. */
  hasTaken: boolean
  untakenBytes: number | undefined
  /** Since it took something. */
  quietSeconds: number
}

const pingSeconds = 12
/** For the client to answer a close. */
const closeMs = 5_000
const retryAfterSeconds = 5

const goingAway = 1001
const tryAgainLater = 1013

/** graphql-transport-ws at /graphql. */
export function serveSockets(
  server: Server,
  gateway: SocketOperations,
  { limits, origins, addressOf }: Gate,
  metrics: Pick<Metrics, 'sockets'>,
  onFault: (error: unknown) => void,
  initMs = 10_000,
): SocketServer {
  const settings: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    maxPayload: limits.bodyBytes,
    closeTimeout: closeMs,
    handleProtocols: (protocols) => handleProtocols(protocols) || false,
  }
  const sockets = new WebSocketServer(settings)
  const peers = new Set<Peer>()
  const rate = { perSecond: limits.socketMessagesPerSecond, burst: 2 * limits.socketMessagesPerSecond }
  let opened = 0
  let isDraining = false
  const { promise: empty, resolve: emptied } = Promise.withResolvers<void>()

  // Whoever shares a result gets the same bytes, mostly one after the other.
  let last: { result: Result | null; bytes: Buffer } = { result: null, bytes: Buffer.alloc(0) }
  const bytesOf = (result: Result): Buffer => {
    if (last.result !== result) last = { result, bytes: Buffer.from(`${result.text}}`) }
    return last.bytes
  }

  server.on('upgrade', (request, duplex, head) => {
    if ((request.url ?? '').split('?', 1)[0] !== '/graphql') return refuseUpgrade(duplex, '404 Not Found')
    if (isDraining || peers.size >= limits.sockets) return refuseUpgrade(duplex, '503 Service Unavailable')
    try {
      origins(request.headers)
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      return refuseUpgrade(duplex, '403 Forbidden')
    }
    sockets.handleUpgrade(request, duplex, head, (socket) => open(socket, duplex, request))
  })

  function open(socket: WebSocket, duplex: Duplex, request: IncomingMessage): void {
    const bucket: Bucket = { left: rate.burst, at: performance.now() }
    let isAwaitingRoom = false
    const hasRoom = (): boolean => {
      if (duplex.writableLength <= limits.socketBufferBytes) return true
      isAwaitingRoom = true
      return false
    }
    // With an error too, after which the socket closes.
    const written = (): void => {
      peer.hasTaken = true
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
    const conversation = converse(
      {
        headers: request.headers,
        address: addressOf(request),
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
      },
      gateway,
      { subscriptionsPerSocket: limits.subscriptionsPerSocket, initMs },
      onFault,
    )
    const peer: Peer = {
      socket,
      duplex,
      conversation,
      close,
      turn: ++opened % pingSeconds,
      isAnswered: true,
      hasTaken: false,
      untakenBytes: 0,
      quietSeconds: 0,
    }
    peers.add(peer)
    metrics.sockets.inc()
    const isTooMuch = (): boolean => {
      if (takeOne(bucket, rate, performance.now())) return false
      close(CloseCode.TooManyInitialisationRequests, `more than ${rate.perSecond} messages a second`)
      return true
    }
    socket.on('message', (message: Buffer, isBinary) => {
      if (socket.readyState !== socket.OPEN || isTooMuch()) return
      if (isBinary) return close(CloseCode.BadRequest, 'expected text')
      // It has been found to be UTF-8.
      conversation.received(message.toString())
    })
    socket.on('ping', isTooMuch)
    socket.on('pong', () => {
      peer.isAnswered = true
    })
    // Of a frame that is none, or too large: `ws` closes with the code that tells it.
    socket.on('error', conversation.closed)
    socket.once('close', () => {
      conversation.closed()
      metrics.sockets.dec()
      peers.delete(peer)
      if (isDraining && peers.size === 0) emptied()
    })
    if (socket.protocol === '') close(CloseCode.SubprotocolNotAcceptable, 'Subprotocol not acceptable')
    else if (timesGiven(request, 'authorization') > 1)
      close(CloseCode.BadRequest, 'several Authorization headers: expected one')
  }

  let second = 0
  const watch = setInterval(() => {
    second = (second + 1) % pingSeconds
    for (const peer of peers) {
      if (peer.socket.readyState !== peer.socket.OPEN) continue
      if (peer.turn === second) keepAlive(peer)
      closeWhenSlow(peer, limits.slowSeconds)
    }
  }, 1_000)

  return {
    async close(ended) {
      isDraining = true
      await ended
      clearInterval(watch)
      await closeInBatches([...peers])
      if (peers.size > 0) await empty
    },
  }
}

function refuseUpgrade(duplex: Duplex, status: string): void {
  // A client that is gone already: there is nobody to tell.
  duplex.once('error', () => duplex.destroy())
  duplex.once('finish', () => duplex.destroy())
  const retry = status.startsWith('503') ? `retry-after: ${retryAfterSeconds}\r\n` : ''
  duplex.end(`HTTP/1.1 ${status}\r\n${retry}connection: close\r\ncontent-length: 0\r\n\r\n`)
}

/** What fits in a close frame. */
const fitting = (reason: string): string =>
  Buffer.from(reason)
    .subarray(0, 123)
    .toString()
    .replace(/\uFFFD+$/, '')

function keepAlive(peer: Peer) {
  // A ping would wait behind what waits; whether that is ever taken is watched anyway.
  const isAwaited = peer.duplex.writableLength === 0
  if (isAwaited && !peer.isAnswered) return peer.socket.terminate()
  peer.isAnswered = !isAwaited
  if (isAwaited) peer.socket.ping()
}

function closeWhenSlow(peer: Peer, slowSeconds: number): void {
  const { duplex } = peer
  const untakenBytes = kernelsUntaken(duplex)
  const isQuiet = duplex.writableLength > 0 && !peer.hasTaken && untakenBytes === peer.untakenBytes
  peer.hasTaken = false
  peer.untakenBytes = untakenBytes
  peer.quietSeconds = isQuiet ? peer.quietSeconds + 1 : 0
  if (peer.quietSeconds >= slowSeconds)
    peer.close(tryAgainLater, `too slow: took nothing for ${slowSeconds} s of what was waiting`)
}

// Of the write that is under way; a long one tells nothing else before its end. Node has it for its own time-outs.
const kernelsUntaken = (duplex: Duplex): number | undefined =>
  (duplex as Duplex & { _handle?: { writeQueueSize?: number } })._handle?.writeQueueSize

const batchSockets = 100
const batchesMs = 2_000
const cutMs = 1_000

// Not all at once: they all come back, to another instance.
async function closeInBatches(peers: readonly Peer[]): Promise<void> {
  const pauseMs = batchesMs / Math.ceil(peers.length / batchSockets)
  for (let from = 0; from < peers.length; from += batchSockets) {
    if (from > 0) await passed(Math.random() * pauseMs)
    const batch = peers.slice(from, from + batchSockets)
    for (const { close } of batch) close(goingAway, 'going away')
    setTimeout(() => {
      for (const { socket } of batch) socket.terminate()
    }, cutMs).unref()
  }
}
