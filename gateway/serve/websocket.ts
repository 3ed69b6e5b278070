import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { GraphQLError } from 'graphql'
import { type Context, handleProtocols, makeServer } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import type { ClientRequest } from '../guard/persisted.ts'
import type { Identity } from '../guard/verify.ts'
import type { Metrics } from '../metrics.ts'
import type { Answer, PreparedOperation } from '../operation.ts'
import { refusal } from '../refusal.ts'
import type { Sink, Subscription } from '../subscribe/sink.ts'
import { type Gate, operationRequest, timesGiven } from './http.ts'

/** The gateway as a socket sees it. `closed` fires with the socket. */
export type SocketOperations = {
  /** Throws a GraphQLError where the token is bad, or there are too many sockets of its bearer's. */
  admit(client: { authorization: string | undefined; address: string }): Promise<Identity>
  /** What is wrong with the request, or with there being one more, or what to run. */
  prepare(request: ClientRequest, socket: Socket): readonly GraphQLError[] | PreparedOperation
  run(operation: PreparedOperation, socket: Socket, signal: AbortSignal): Promise<Answer>
  /** Begins at once; what is wrong is told to the sink. */
  watch(operation: PreparedOperation, socket: Socket, sink: Sink): Subscription
}

export type Socket = {
  identity: Identity
  authorization: string | undefined
  /** Of the request that opened it. */
  headers: IncomingHttpHeaders
  address: string
}

type Extra = { socket: WebSocket; request: IncomingMessage; state: Socket | null; closed: AbortController }
type SocketContext = Context<Record<string, unknown> | undefined, Extra>
/** What `onSubscribe` hands to `execute` and `subscribe` through graphql-ws. */
type Started = { operation: PreparedOperation; extra: Extra }

export type SocketServer = { close(): Promise<void> }

const pingMs = 12_000
const badRequest = 4400
const forbidden = 4403
const tooMany = 4429

const refuseUpgrade = (duplex: Duplex, status: string) =>
  void duplex.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)

/** graphql-transport-ws at /graphql, for every kind of operation. */
export function serveSockets(
  server: Server,
  gateway: SocketOperations,
  gate: Gate,
  metrics: Metrics,
  onFault: (error: unknown) => void,
): SocketServer {
  const { limits } = gate
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.bodyBytes,
    handleProtocols: (protocols) => handleProtocols(protocols) || false,
  })
  const protocol = makeServer<Record<string, unknown> | undefined, Extra>({
    onConnect: (context) => connect(gateway, gate, context),
    onSubscribe(context, _id, payload) {
      if (Object.keys(context.subscriptions).length > limits.subscriptionsPerSocket)
        return [
          refusal(
            'TOO_MANY_SUBSCRIPTIONS',
            `at most ${limits.subscriptionsPerSocket} operations at once on a socket`,
            { limit: 'subscriptionsPerSocket', allowed: limits.subscriptionsPerSocket },
          ),
        ]
      const operation = prepared(gateway, payload, stateOf(context.extra))
      if ('length' in operation) return operation
      const started: Started = { operation, extra: context.extra }
      return { schema: noSchema, document: operation.document, contextValue: started, rootValue: undefined }
    },
    execute: (args) => run(gateway, args.contextValue as Started),
    subscribe: (args) => subscribe(gateway, args.contextValue as Started),
    // Answers are plain already; graphql-ws would call `toJSON` on their errors.
    onNext: (_context, _id, _payload, _args, result) => result as never,
  })

  const onUpgrade = (request: IncomingMessage, duplex: Duplex, head: Buffer) => {
    if ((request.url ?? '').split('?', 1)[0] !== '/graphql') {
      return refuseUpgrade(duplex, '404 Not Found')
    }
    try {
      gate.origins(request.headers)
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      return refuseUpgrade(duplex, '403 Forbidden')
    }
    sockets.handleUpgrade(request, duplex, head, (socket) => open(socket, request))
  }

  function open(socket: WebSocket, request: IncomingMessage): void {
    metrics.sockets.inc()
    const closed = new AbortController()
    const onClosed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => sent(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage(answer) {
          socket.on('message', (message: Buffer, isBinary) => {
            // Text has been found to be UTF-8.
            if (isBinary) return socket.close(badRequest, 'expected text')
            answer(message.toString()).catch((error: unknown) => {
              onFault(error)
              socket.close(4500, 'internal error')
            })
          })
        },
      },
      { socket, request, state: null, closed },
    )
    const stopPinging = keepAlive(socket)
    socket.on('error', () => socket.terminate())
    socket.once('close', (code, reason) => {
      stopPinging()
      closed.abort(new Error('the socket is closed'))
      metrics.sockets.dec()
      onClosed(code, reason.toString()).catch(onFault)
    })
  }

  server.on('upgrade', onUpgrade)
  return {
    async close() {
      server.off('upgrade', onUpgrade)
      for (const socket of sockets.clients) socket.close(1001, 'going away')
      // Who does not answer the close is cut off.
      const timer = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate()
      }, 1_000)
      await new Promise<void>((resolve) => sockets.close(() => resolve()))
      clearTimeout(timer)
    },
  }
}

// graphql-ws wants one and does not look at it: documents are validated in `prepare`.
const noSchema = {} as never

async function connect(
  gateway: SocketOperations,
  { addressOf }: Gate,
  { connectionParams, extra }: SocketContext,
): Promise<boolean> {
  const { request, socket, closed } = extra
  const given =
    connectionParams?.authorization ?? connectionParams?.Authorization ?? request.headers.authorization
  const authorization = typeof given === 'string' ? given : undefined
  if (timesGiven(request, 'authorization') > 1) {
    socket.close(badRequest, 'several Authorization headers: expected one')
    return false
  }
  const address = addressOf(request)
  try {
    const identity = await gateway.admit({ authorization, address })
    extra.state = {
      identity,
      authorization,
      address,
      headers: request.headers,
    }
    if (identity.expiresAt !== null) closeWhenExpired(socket, identity.expiresAt, closed.signal)
    return true
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    const code = error.extensions.code === 'RATE_LIMITED' ? tooMany : forbidden
    socket.close(code, error.message.slice(0, 120))
    return false
  }
}

function closeWhenExpired(socket: WebSocket, expiresAt: number, closed: AbortSignal): void {
  // Timers take at most 2^31 ms: a longer-lived token outlives the timer, which then is set again.
  const leftMs = expiresAt - Date.now()
  const timer = setTimeout(
    () => {
      if (Date.now() >= expiresAt) socket.close(forbidden, 'the token has expired')
      else closeWhenExpired(socket, expiresAt, closed)
    },
    Math.min(Math.max(leftMs, 0), 2 ** 31 - 1),
  )
  timer.unref()
  closed.addEventListener('abort', () => clearTimeout(timer), { once: true })
}

function prepared(
  gateway: SocketOperations,
  payload: unknown,
  socket: Socket,
): readonly GraphQLError[] | PreparedOperation {
  try {
    return gateway.prepare(operationRequest(payload), socket)
  } catch (error) {
    if (error instanceof GraphQLError) return [error]
    throw error
  }
}

async function run(gateway: SocketOperations, { operation, extra }: Started): Promise<never> {
  const {
    text,
    cacheControl: _header,
    ...answer
  } = await gateway.run(operation, stateOf(extra), extra.closed.signal)
  // graphql-ws writes the JSON.
  return (text === undefined ? answer : { data: JSON.parse(text) as unknown, ...answer }) as never
}

function subscribe(gateway: SocketOperations, { operation, extra }: Started): never {
  const queue: unknown[] = []
  let wake = Promise.withResolvers<void>()
  let ended = false
  let errors: unknown = null
  const subscription = gateway.watch(operation, stateOf(extra), {
    hasRoom: () => queue.length < 10,
    next(result) {
      queue.push(JSON.parse(result.text))
      wake.resolve()
    },
    end(failed) {
      ended = true
      errors = failed
      wake.resolve()
    },
  })
  extra.closed.signal.addEventListener('abort', () => subscription.close())
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      for (;;) {
        if (queue.length > 0) {
          const value = queue.shift()
          subscription.resume()
          return { done: false, value }
        }
        if (ended && errors) {
          const value = { errors }
          errors = null
          return { done: false, value }
        }
        if (ended) return { done: true, value: undefined }
        await wake.promise
        wake = Promise.withResolvers()
      }
    },
    return() {
      subscription.close()
      ended = true
      wake.resolve()
      return Promise.resolve({ done: true, value: undefined })
    },
  } as never
}

function stateOf({ state }: Extra): Socket {
  if (!state) throw new Error('an operation before the connection was acknowledged')
  return state
}

// Resolves when the kernel has taken the text, which is what holds back the results that follow it.
function sent(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve()
    socket.send(text, () => resolve())
  })
}

function keepAlive(socket: WebSocket): () => void {
  let answered = true
  socket.on('pong', () => {
    answered = true
  })
  const timer = setInterval(() => {
    if (!answered) return socket.terminate()
    answered = false
    socket.ping()
  }, pingMs)
  return () => clearInterval(timer)
}
