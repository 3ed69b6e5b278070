import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { GraphQLError } from 'graphql'
import { CloseCode, handleProtocols } from 'graphql-ws'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import type { Metrics } from '../metrics.ts'
import type { Result } from '../subscribe/sink.ts'
import { inBatches } from './batches.ts'
import { type Gate, timesGiven } from './http.ts'
import { converse, type SocketOperations } from './protocol.ts'
import { openPeer, type Peer } from './socket.ts'

export type SocketServer = {
  /** No socket opens from now on; those that are open are closed when `ended` resolves. */
  close(ended: Promise<void>): Promise<void>
}

const retryAfterSeconds = 5
/** For a client to answer a close. */
const closeMs = 5_000

/** graphql-transport-ws at /graphql. */
export function serveSockets(
  server: Server,
  gateway: SocketOperations,
  { limits, origins, addressOf }: Gate,
  metrics: Pick<Metrics, 'sockets'>,
  onFault: (error: unknown) => void,
): SocketServer {
  // The types do not know it yet.
  const settings: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    maxPayload: limits.bodyBytes,
    closeTimeout: closeMs,
    handleProtocols: (protocols) => handleProtocols(protocols) || false,
  }
  const sockets = new WebSocketServer(settings)
  const peers = new Set<Peer>()
  const bytesOf = createEncoder()
  let isDraining = false
  const { promise: empty, resolve: emptied } = Promise.withResolvers<void>()

  server.on('upgrade', (request, duplex, head) => {
    if ((request.url ?? '').split('?', 1)[0] !== '/graphql') return refuseUpgrade(duplex, '404 Not Found')
    if (isDraining || peers.size >= limits.sockets)
      return refuseUpgrade(duplex, `503 Service Unavailable\r\nretry-after: ${retryAfterSeconds}`)
    try {
      origins(request.headers)
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      return refuseUpgrade(duplex, '403 Forbidden')
    }
    sockets.handleUpgrade(request, duplex, head, (socket) => open(socket, duplex, request))
  })

  function open(socket: WebSocket, duplex: Duplex, request: IncomingMessage): void {
    const client = { headers: request.headers, address: addressOf(request) }
    const peer = openPeer(
      { socket, duplex },
      (connection) => converse({ ...client, ...connection }, gateway, limits, onFault),
      limits,
      bytesOf,
    )
    peers.add(peer)
    metrics.sockets.inc()
    socket.once('close', () => {
      metrics.sockets.dec()
      peers.delete(peer)
      if (isDraining && peers.size === 0) emptied()
    })
    if (socket.protocol === '') peer.close(CloseCode.SubprotocolNotAcceptable, 'Subprotocol not acceptable')
    else if (timesGiven(request, 'authorization') > 1)
      peer.close(CloseCode.BadRequest, 'several Authorization headers: expected one')
  }

  const everySecond = setInterval(() => {
    for (const peer of peers) peer.attend()
  }, 1_000)

  return {
    async close(ended) {
      isDraining = true
      await ended
      // What ended a moment ago is still on its way to its socket.
      await setImmediate()
      clearInterval(everySecond)
      await closeAll([...peers])
      if (peers.size > 0) await empty
    },
  }
}

/** Of a result and a closing brace. Who share one get the same bytes, mostly one right after the other. */
function createEncoder(): (result: Result) => Buffer {
  let last: Result | null = null
  let bytes = Buffer.alloc(0)
  return (result) => {
    if (result === last) return bytes
    last = result
    bytes = Buffer.from(`${result.text}}`)
    return bytes
  }
}

function refuseUpgrade(duplex: Duplex, head: string): void {
  // A client that has gone already needs no answer, and an error nobody listens to would end the process.
  duplex.once('error', () => duplex.destroy())
  duplex.once('finish', () => duplex.destroy())
  duplex.end(`HTTP/1.1 ${head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

const cutMs = 1_000

// Who does not answer the close is cut off.
const closeAll = (peers: readonly Peer[]) =>
  inBatches(peers, ({ close, cut }) => {
    close(1001, 'going away')
    setTimeout(cut, cutMs).unref()
  })
