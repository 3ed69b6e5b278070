import {
  CloseCode,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  MessageType,
  parseMessage,
  stringifyMessage,
} from 'graphql-ws'
import { type ClientOptions, WebSocket } from 'ws'
import {
  type ForwardedHeaders,
  reasonOf,
  resultIn,
  type SubgraphResult,
  SubgraphUnavailable,
} from '../execute/fetch.ts'

/** A connection to a subgraph, over graphql-transport-ws, from its upgrade to its end: it is never opened again. */
export type UpstreamSocket = {
  /** Subscriptions on it. */
  size(): number
  /** Answers what ends it: the subgraph is told, and `follower` is not called any more. */
  subscribe(payload: UpstreamOperation, follower: Follower): () => void
  /** Resolves when it is closed; nobody is told. */
  close(): Promise<void>
}

type UpstreamOperation = { query: string; variables: Record<string, unknown> }

/** Is called later than `subscribe` answers; nothing follows `completed` or `failed`. */
type Follower = {
  /** The subgraph has been asked. */
  begun(): void
  result(result: SubgraphResult): void
  completed(): void
  /** `chance`, from 0 to 1, is the same for all who were on the connection: they come back together and share the next. */
  failed(error: SubgraphUnavailable, chance: number): void
}

type Options = {
  subgraph: string
  url: string
  /** Of the upgrade, and the payload of `connection_init`: some servers read the one, some the other. */
  headers: ForwardedHeaders
  /** From the connect to the acknowledgement. */
  connectMs: number
  maxResultBytes: number
  pingMs: number
  /** How long it is kept without subscriptions. */
  lingerMs: number
  /** It takes no more subscriptions. */
  onEnd: () => void
}

// Who sends pings and does not read would make us keep the answers.
const mostUnsentBytes = 1024 * 1024
const closeMs = 1_000

/**
 * Not graphql-ws's client: that one subscribes again in silence after a close with 1000, where results were lost, and
 * takes a subgraph that answers no pings for alive.
 */
export function openSocket(options: Options): UpstreamSocket {
  const { subgraph, url, headers, connectMs, maxResultBytes, pingMs, lingerMs, onEnd } = options
  const followers = new Map<string, { follower: Follower; payload: UpstreamOperation }>()
  let asked = 0
  let acknowledged = false
  let over = false
  let answered = true
  // The types do not know it yet.
  const settings: ClientOptions & { closeTimeout: number } = {
    headers,
    maxPayload: maxResultBytes,
    perMessageDeflate: false,
    // For a subgraph that has said goodbye and does not hang up: until then others would join.
    closeTimeout: closeMs,
  }
  const socket = new WebSocket(url, GRAPHQL_TRANSPORT_WS_PROTOCOL, settings)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const acknowledgement = setTimeout(
    () => fail('TIMEOUT', `it did not acknowledge the connection within ${connectMs} ms`),
    connectMs,
  )
  const pinging = setInterval(() => {
    if (!acknowledged) return
    if (!answered) return fail('CONNECTION', 'it stopped answering pings')
    answered = false
    socket.ping()
  }, pingMs)
  let lingering: NodeJS.Timeout | undefined

  function end(): void {
    over = true
    clearTimeout(acknowledgement)
    clearInterval(pinging)
    clearTimeout(lingering)
    onEnd()
  }

  function fail(
    reason: SubgraphUnavailable['reason'],
    why: string,
    about: ErrorOptions & { status?: number } = {},
  ): void {
    if (over) return
    end()
    socket.terminate()
    const error = new SubgraphUnavailable(subgraph, reason, why, about)
    const chance = Math.random()
    const lost = [...followers.values()]
    followers.clear()
    for (const { follower } of lost) follower.failed(error, chance)
  }

  function send(message: Parameters<typeof stringifyMessage>[0]): void {
    if (over || socket.readyState !== WebSocket.OPEN) return
    socket.send(stringifyMessage(message))
  }

  function leave(id: string): void {
    if (!followers.delete(id) || followers.size > 0 || over) return
    lingering = setTimeout(() => void close(), lingerMs)
  }

  async function close(): Promise<void> {
    if (!over) {
      end()
      followers.clear()
      socket.close(1000)
    }
    await closed
  }

  function receive(data: Buffer, isBinary: boolean): void {
    const message = messageIn(data, isBinary)
    if (message instanceof Error) {
      fail('BAD_ANSWER', 'it sent what is not of graphql-transport-ws', { cause: message })
      return
    }
    const { type } = message
    if (type === MessageType.Ping) {
      if (socket.bufferedAmount < mostUnsentBytes) send({ type: MessageType.Pong })
    } else if (type === MessageType.ConnectionAck) {
      if (!acknowledged) acknowledge()
    } else if (type !== MessageType.Pong && !acknowledged) {
      fail('BAD_ANSWER', `it sent ${type} before it acknowledged the connection`)
    } else if (type === MessageType.Next) {
      receiveResult(message.id, message.payload, false)
    } else if (type === MessageType.Error) {
      receiveResult(message.id, { data: null, errors: message.payload }, true)
    } else if (type === MessageType.Complete) {
      const follower = followers.get(message.id)?.follower
      leave(message.id)
      follower?.completed()
    }
  }

  function acknowledge(): void {
    acknowledged = true
    clearTimeout(acknowledgement)
    for (const [id] of followers) ask(id)
  }

  function ask(id: string): void {
    const known = followers.get(id)
    if (!known) return
    send({ id, type: MessageType.Subscribe, payload: known.payload })
    known.follower.begun()
  }

  // Of whom nobody knows, one has left while messages were on their way.
  function receiveResult(id: string, payload: unknown, isLast: boolean): void {
    const follower = followers.get(id)?.follower
    if (!follower) return
    const result = resultIn(payload)
    if (isLast || !result) leave(id)
    if (result) {
      follower.result(result)
      if (isLast) follower.completed()
    } else {
      if (!isLast) send({ id, type: MessageType.Complete })
      const why = 'it sent a result that is no GraphQL result'
      follower.failed(new SubgraphUnavailable(subgraph, 'BAD_ANSWER', why), 0)
    }
  }

  socket.on('open', () =>
    send({
      type: MessageType.ConnectionInit,
      ...(Object.keys(headers).length > 0 && { payload: headers }),
    }),
  )
  socket.on('message', receive)
  socket.on('pong', () => {
    answered = true
  })
  socket.on('unexpected-response', (_request, { statusCode: status = 0 }) =>
    fail('BAD_ANSWER', `it answered the upgrade with ${status}`, { status }),
  )
  socket.on('error', (cause) => {
    const code = 'code' in cause ? String(cause.code) : ''
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
      return fail('TOO_LARGE', `its result is larger than ${maxResultBytes} bytes`, { cause })
    if (code.startsWith('WS_ERR_'))
      return fail('BAD_ANSWER', 'it sent what is no WebSocket message', { cause })
    // What ws finds wrong with the upgrade has no code.
    fail(code === '' ? 'BAD_ANSWER' : 'CONNECTION', reasonOf(cause), { cause })
  })
  socket.on('close', (code) => {
    const reason = refuses(code, acknowledged) ? 'BAD_ANSWER' : 'CONNECTION'
    fail(reason, code === 1006 ? 'the connection broke' : `it closed the connection with ${code}`)
  })

  return {
    size: () => followers.size,
    subscribe(payload, follower) {
      clearTimeout(lingering)
      const id = String(++asked)
      followers.set(id, { follower, payload })
      if (acknowledged) queueMicrotask(() => ask(id))
      return () => {
        if (followers.has(id) && acknowledged) send({ id, type: MessageType.Complete })
        leave(id)
      }
    },
    close,
  }
}

function messageIn(data: Buffer, isBinary: boolean): ReturnType<typeof parseMessage> | Error {
  if (isBinary) return new Error('expected text')
  try {
    return parseMessage(data.toString())
  } catch (error) {
    return error instanceof Error ? error : new Error('expected a message', { cause: error })
  }
}

const letNobodyIn: readonly number[] = [CloseCode.Unauthorized, CloseCode.Forbidden]
const blameUs: readonly number[] = [
  1002,
  1003,
  1007,
  1009,
  CloseCode.BadRequest,
  CloseCode.SubprotocolNotAcceptable,
  CloseCode.SubscriberAlreadyExists,
  CloseCode.TooManyInitialisationRequests,
]

// What the same request would be answered again. Who was let in before may be again, with headers that are new.
const refuses = (code: number, acknowledged: boolean): boolean =>
  blameUs.includes(code) || (letNobodyIn.includes(code) && !acknowledged)
