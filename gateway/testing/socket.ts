import { once } from 'node:events'
import WebSocket from 'ws'

export type Message = { type: string; id?: string; payload?: unknown }

export type TestSocket = Disposable & {
  socket: WebSocket
  /** Texts, as they came. */
  texts: string[]
  received: Message[]
  send(...messages: (Message | string | Buffer)[]): void
  /** What was received, once it is so much. */
  next(count: number): Promise<Message[]>
  /** Resolves when the server has answered all that was sent before. */
  settled(): Promise<void>
  closed(): Promise<[code: number, reason: string]>
}

/** An open socket that sends what it is told to and no more: no client of the protocol. */
export async function openSocket(
  url: string,
  {
    protocols = ['graphql-transport-ws'],
    ...options
  }: { protocols?: string[] } & WebSocket.ClientOptions = {},
): Promise<TestSocket> {
  const socket = new WebSocket(url, protocols, options)
  const texts: string[] = []
  const received: Message[] = []
  const closed = Promise.withResolvers<[number, string]>()
  let wake = Promise.withResolvers<void>()
  const arrived = () => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  socket.on('message', (text: Buffer) => {
    texts.push(text.toString())
    received.push(JSON.parse(text.toString()) as Message)
    arrived()
  })
  socket.on('close', (code, reason) => {
    closed.resolve([code, reason.toString()])
    arrived()
  })
  await once(socket, 'open')
  const until = async (isThere: () => boolean) => {
    while (!isThere()) {
      if (socket.readyState === socket.CLOSED) throw new Error(`closed: ${(await closed.promise).join(' ')}`)
      await wake.promise
    }
  }
  const send = (...messages: (Message | string | Buffer)[]) => {
    for (const message of messages)
      socket.send(
        typeof message === 'string' || message instanceof Buffer ? message : JSON.stringify(message),
      )
  }
  let pings = 0
  return {
    socket,
    texts,
    received,
    send,
    async next(count) {
      await until(() => received.length >= count)
      return received
    },
    async settled() {
      const ping = { settled: ++pings }
      send({ type: 'ping', payload: ping })
      const isAnswer = ({ payload }: Message) =>
        (payload as typeof ping | undefined)?.settled === ping.settled
      await until(() => received.some(isAnswer))
      const at = received.findIndex(isAnswer)
      received.splice(at, 1)
      texts.splice(at, 1)
    },
    closed: () => closed.promise,
    [Symbol.dispose]: () => socket.terminate(),
  }
}

/** The same, acknowledged; the acknowledgement is not among what it received. */
export async function acknowledgedSocket(
  url: string,
  payload?: unknown,
  options?: WebSocket.ClientOptions,
): Promise<TestSocket> {
  const socket = await openSocket(url, options)
  socket.send({ type: 'connection_init', payload })
  await socket.next(1)
  socket.received.shift()
  socket.texts.shift()
  return socket
}

export const subscribeTo = (id: string, query: string): Message => ({
  id,
  type: 'subscribe',
  payload: { query },
})
