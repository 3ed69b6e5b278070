import type { IncomingHttpHeaders } from 'node:http'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { CloseCode, type Message, MessageType, parseMessage } from 'graphql-ws'
import type { Limits } from '../guard/limits.ts'
import type { ClientRequest } from '../guard/persisted.ts'
import type { Identity } from '../guard/verify.ts'
import { type Answer, answerText, type PreparedOperation } from '../operation.ts'
import { refusal } from '../refusal.ts'
import type { Result, Sink, Subscription } from '../subscribe/sink.ts'
import { at } from './at.ts'
import { operationRequest } from './http.ts'

/** The gateway as a socket sees it. */
export type SocketOperations = {
  /** Throws a GraphQLError where the token is bad, or there are too many sockets of its bearer's. */
  admit(client: { authorization: string | undefined; address: string }): Promise<Identity>
  /** What is wrong with the request, or with there being one more, or what to run. */
  prepare(request: ClientRequest, socket: Socket): readonly GraphQLError[] | PreparedOperation
  /** The signal fires when nobody waits for the answer any more. */
  run(operation: PreparedOperation, socket: Socket, signal: AbortSignal): Promise<Answer>
  /** Begins at once; what is wrong is told to the sink. */
  watch(operation: PreparedOperation, socket: Socket, sink: Sink): Subscription
}

/** An acknowledged client. Its identity and authorization change when it shows another token. */
export type Socket = {
  identity: Identity
  authorization: string | undefined
  /** Of the request that opened it. */
  headers: IncomingHttpHeaders
  address: string
}

/** The transport as the protocol sees it. */
export type Connection = {
  /** Of the request that opened it. */
  headers: IncomingHttpHeaders
  address: string
  /** While the client does not take it, no more of its messages come. */
  send(message: string): void
  /** A message of `head`, the result and a closing brace. */
  sendResult(head: Buffer, result: Result): void
  /** Where there is none, `drained` is called when there is. */
  hasRoom: () => boolean
  /** Calls `closed`. */
  close: (code: number, reason: string) => void
}

/** What the transport tells the protocol. */
export type Conversation = {
  received(message: string): void
  drained(): void
  /** Called once or more often; nothing is sent from then on. */
  closed(): void
}

const initMs = 10_000

type Running = { subscription: Subscription | null; isOver: boolean }

/**
 * graphql-transport-ws with one client (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md), for every kind of
 * operation. Beyond the protocol, a ping with `{ authorization }` renews the client's token.
 */
export function converse(
  connection: Connection,
  gateway: SocketOperations,
  limits: Pick<Limits, 'subscriptionsPerSocket'>,
  onFault: (error: unknown) => void,
): Conversation {
  const running = new Map<string, Running>()
  /** Those whose subscriptions wait for room, the longest first. */
  const waiting = new Set<Running>()
  let socket: Socket | null = null
  let isInitialised = false
  let isRenewing = false
  let isClosed = false
  const initTimer = setTimeout(
    () => connection.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout'),
    initMs,
  )
  let stopExpiring: (() => void) | null = null

  const fault = (error: unknown): void => {
    onFault(error)
    connection.close(CloseCode.InternalServerError, 'internal error')
  }

  function received(text: string) {
    if (isClosed) return
    let message: Message
    try {
      message = parseMessage(text)
    } catch (error) {
      return connection.close(CloseCode.BadRequest, `invalid message: ${(error as Error).message}`)
    }
    try {
      take(message)
    } catch (error) {
      fault(error)
    }
  }

  function take(message: Message) {
    switch (message.type) {
      case MessageType.ConnectionInit:
        return void initialise(message.payload).catch(fault)
      case MessageType.Ping:
        return answerPing(message.payload)
      case MessageType.Pong:
        return
      case MessageType.Subscribe:
        return subscribe(message.id, message.payload)
      case MessageType.Complete:
        return complete(message.id)
      default:
        connection.close(CloseCode.BadRequest, `invalid message: a client sends no "${message.type}"`)
    }
  }

  async function initialise(payload: Record<string, unknown> | undefined): Promise<void> {
    if (isInitialised)
      return connection.close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests')
    isInitialised = true
    clearTimeout(initTimer)
    const { headers, address } = connection
    const given = payload?.authorization ?? payload?.Authorization ?? headers.authorization
    const authorization = typeof given === 'string' ? given : undefined
    let identity: Identity
    try {
      identity = await gateway.admit({ authorization, address })
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      const isTooMany = error.extensions.code === 'RATE_LIMITED'
      return connection.close(
        isTooMany ? CloseCode.TooManyInitialisationRequests : CloseCode.Forbidden,
        error.message,
      )
    }
    if (isClosed) return
    socket = { identity, authorization, headers, address }
    closeWhenExpired(identity.expiresAt)
    connection.send('{"type":"connection_ack"}')
  }

  function closeWhenExpired(expiresAt: number | null): void {
    stopExpiring?.()
    stopExpiring =
      expiresAt === null
        ? null
        : at(expiresAt, () => connection.close(CloseCode.Forbidden, 'the token has expired'))
  }

  function answerPing(payload: Record<string, unknown> | undefined) {
    if (payload?.authorization === undefined) return pong(payload)
    const told = (authorization: Renewal) => {
      if (!isClosed) pong({ authorization })
    }
    renew(payload.authorization).then(told, (error: unknown) => {
      onFault(error)
      told({ accepted: false, reason: 'the token could not be verified: send it again' })
    })
  }

  const pong = (payload: unknown) => connection.send(JSON.stringify({ type: MessageType.Pong, payload }))

  async function renew(authorization: unknown): Promise<Renewal> {
    if (!socket) return { accepted: false, reason: 'expected connection_init before another token' }
    if (typeof authorization !== 'string') return { accepted: false, reason: 'expected "Bearer <token>"' }
    // Of two at once, the first could be verified last.
    if (isRenewing) return { accepted: false, reason: 'another token is being verified: wait for its answer' }
    isRenewing = true
    try {
      const identity = await gateway.admit({ authorization, address: socket.address })
      if (!isSameClient(identity, socket.identity))
        return {
          accepted: false,
          reason: 'the token is of another subject or organization: open a new socket for it',
        }
      if (isClosed) return { accepted: false, reason: 'the socket is closed' }
      Object.assign(socket, { identity, authorization })
      closeWhenExpired(identity.expiresAt)
      for (const { subscription } of running.values()) subscription?.permit(identity)
      const { expiresAt } = identity
      return { accepted: true, expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString() }
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      return { accepted: false, reason: error.message }
    } finally {
      isRenewing = false
    }
  }

  function subscribe(id: string, payload: unknown) {
    if (!socket) return connection.close(CloseCode.Unauthorized, 'Unauthorized')
    if (running.has(id))
      return connection.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`)
    const operation =
      running.size < limits.subscriptionsPerSocket
        ? prepared(gateway, payload, socket)
        : [tooMany(limits.subscriptionsPerSocket)]
    if ('length' in operation) return connection.send(errorMessage(id, operation))
    const started: Running = { subscription: null, isOver: false }
    running.set(id, started)
    const sink = sinkOf(id, started)
    started.subscription =
      operation.type === 'subscription'
        ? gateway.watch(operation, socket, sink)
        : run(operation, socket, sink)
  }

  function run(operation: PreparedOperation, socket: Socket, sink: Sink): Subscription {
    const gone = new AbortController()
    const answered = (answer: Answer) => {
      // Without data it was refused before anything ran.
      if (answer.data === undefined && answer.text === undefined) return sink.end(answer.errors)
      sink.next({ text: answerText(answer) })
      sink.end()
    }
    gateway.run(operation, socket, gone.signal).then(answered).catch(fault)
    return {
      resume() {},
      permit() {},
      close: () => gone.abort(new Error('the client is gone')),
    }
  }

  function sinkOf(id: string, own: Running): Sink {
    const head = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`)
    return {
      hasRoom() {
        if (own.isOver || connection.hasRoom()) return true
        waiting.add(own)
        return false
      },
      next(result) {
        if (!own.isOver) connection.sendResult(head, result)
      },
      end(errors) {
        if (own.isOver) return
        forget(id, own)
        connection.send(
          errors ? errorMessage(id, errors) : JSON.stringify({ id, type: MessageType.Complete }),
        )
      },
    }
  }

  function forget(id: string, own: Running): void {
    own.isOver = true
    running.delete(id)
    waiting.delete(own)
  }

  function complete(id: string): void {
    const known = running.get(id)
    if (!known) return
    forget(id, known)
    known.subscription?.close()
  }

  return {
    received,
    drained() {
      // Who is resumed and wants more goes to the end, which is why one that wants much does not starve the others.
      for (const each of waiting) {
        if (!connection.hasRoom()) return
        waiting.delete(each)
        each.subscription?.resume()
      }
    },
    closed() {
      if (isClosed) return
      isClosed = true
      clearTimeout(initTimer)
      stopExpiring?.()
      for (const id of running.keys()) complete(id)
    },
  }
}

/** What a ping with a token is answered with. */
type Renewal = { accepted: true; expiresAt: string | null } | { accepted: false; reason: string }

const isSameClient = ({ principal: a }: Identity, { principal: b }: Identity): boolean =>
  a.verified === b.verified && a.subject === b.subject && a.organization === b.organization

const tooMany = (allowed: number) =>
  refusal('TOO_MANY_SUBSCRIPTIONS', `at most ${allowed} operations at once on a socket`, {
    limit: 'subscriptionsPerSocket',
    allowed,
  })

const errorMessage = (id: string, errors: readonly (GraphQLError | GraphQLFormattedError)[]) =>
  JSON.stringify({ id, type: MessageType.Error, payload: errors })

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
