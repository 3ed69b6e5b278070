/**
 * Subscribers over graphql-transport-ws that note all they are given, leave at random, and come back with their last
 * cursor to whichever gateway answers.
 */
import { randomInt } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'
import { offer } from '../bench/child.ts'
import { type Opening, type Received, type Refused, receivedFile } from '../history.ts'

export type SubscriberOptions = {
  name: string
  folder: string
  /** Of the gateways. */
  urls: string[]
  keys: string[]
  subscribers: number
  perSocket: number
  /** Mean time after which a socket leaves by itself. */
  restlessMs: number
}

type Subscriber = { name: string; key: string; connection: number; version: number; cursor: string | null }

type Message = { id?: string; type: string; payload?: unknown }
type Payload = {
  data?: { deploymentStatus: { plan: { reasons: string[] } } | null } | null
  errors?: { message: string }[]
  extensions?: { stream?: { kind: Received['kind']; cursor: string; version: number } }
}

const query = /* GraphQL */ `
  subscription ($planId: ID!, $after: String) {
    deploymentStatus(planId: $planId, after: $after) { version plan { reasons } }
  }
`

const options = JSON.parse(process.argv[2] ?? '') as SubscriberOptions
const { name, folder, urls, keys, perSocket, restlessMs } = options
const output = createWriteStream(receivedFile(folder, name))
const ending = new AbortController()
const subscribers = Array.from(
  { length: options.subscribers },
  (_, index): Subscriber => ({
    name: `${name}-${index + 1}`,
    key: keys[index % keys.length] ?? '',
    connection: 0,
    version: 0,
    cursor: null,
  }),
)
let progressed: () => void = () => undefined
let settled = false

const offers = {
  /** Nobody leaves by itself any more. */
  settle() {
    settled = true
  },
  /** Whether all have got to these versions within the time. */
  async until({ versions, withinMs }: { versions: Record<string, number>; withinMs: number }) {
    const behind = () => subscribers.some(({ key, version }) => version < (versions[key] ?? 1))
    const { promise: arrived, resolve } = Promise.withResolvers<boolean>()
    progressed = () => {
      if (!behind()) resolve(true)
    }
    progressed()
    const timer = setTimeout(() => resolve(false), withinMs)
    try {
      return await arrived
    } finally {
      clearTimeout(timer)
      progressed = () => undefined
    }
  },
  async end() {
    ending.abort()
    await Promise.all(staying)
    output.end()
    await finished(output)
  },
}
export type Subscribers = typeof offers
offer(offers)

const groups = Array.from({ length: Math.ceil(subscribers.length / perSocket) }, (_, index) =>
  subscribers.slice(index * perSocket, (index + 1) * perSocket),
)
const staying = groups.map(stay)

async function stay(group: Subscriber[]): Promise<void> {
  while (!ending.signal.aborted) {
    await connection(urls[randomInt(urls.length)] ?? '', group)
    await pause()
  }
}

// So that those whom one gateway has lost do not all come to the other at once.
const pause = () => sleep(randomInt(50, 1_000), undefined, { signal: ending.signal }).catch(() => undefined)

/** Resolves when it is closed, by whomever. */
async function connection(url: string, group: Subscriber[]): Promise<void> {
  const socket = new WebSocket(url, 'graphql-transport-ws', { handshakeTimeout: 5_000 })
  const open = new Map<string, Subscriber>()
  const send = (message: Message) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
  }
  const subscribe = (subscriber: Subscriber) => {
    const { key, version, cursor } = subscriber
    const id = `${subscriber.name}/${++subscriber.connection}`
    open.set(id, subscriber)
    note(subscriber, { kind: 'OPEN', instance: url, after: cursor === null ? null : version })
    send({ type: 'subscribe', id, payload: { query, variables: { planId: key, after: cursor } } })
  }
  const again = async (id: string) => {
    const subscriber = open.get(id)
    open.delete(id)
    if (!subscriber) return
    await pause()
    if (socket.readyState === WebSocket.OPEN) subscribe(subscriber)
  }
  const leave = () => {
    if (settled) return
    const one = [...open.keys()].at(randomInt(Math.max(1, open.size)))
    if (randomInt(3) === 0 && one !== undefined) {
      send({ type: 'complete', id: one })
      void again(one)
      leaving = setTimeout(leave, randomInt(2 * restlessMs))
    } else if (randomInt(2) === 0) socket.terminate()
    else socket.close(1000)
  }
  let leaving = setTimeout(leave, randomInt(2 * restlessMs))
  const stop = () => socket.terminate()
  ending.signal.addEventListener('abort', stop, { once: true })

  socket.on('open', () => send({ type: 'connection_init' }))
  // The close that follows is what counts.
  socket.on('error', () => undefined)
  socket.on('message', (data: Buffer) => {
    const { type, id = '', payload } = JSON.parse(data.toString()) as Message
    if (type === 'connection_ack') return group.forEach(subscribe)
    if (type === 'ping') return send({ type: 'pong' })
    const subscriber = open.get(id)
    // What was on its way when the subscription was completed is nobody's any more.
    if (!subscriber) return
    if (type === 'next') receive(subscriber, payload as Payload)
    else {
      if (type === 'error') refused(subscriber, payload)
      void again(id)
    }
  })
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  clearTimeout(leaving)
  ending.signal.removeEventListener('abort', stop)
}

function receive(subscriber: Subscriber, payload: Payload): void {
  const stream = payload.extensions?.stream
  if (!stream) {
    refused(subscriber, payload.errors)
    return
  }
  const { kind, cursor, version } = stream
  subscriber.cursor = cursor
  subscriber.version = version
  const [mark = ''] = payload.data?.deploymentStatus?.plan.reasons ?? []
  note(subscriber, { kind, version, mark, cursor: cursor.slice(-12) })
  progressed()
}

const refused = (subscriber: Subscriber, errors: unknown) =>
  note(subscriber, { kind: 'REFUSED', reason: JSON.stringify(errors) })

type Noted = Opening | Received | Refused
type Fact<T> = T extends Noted ? Omit<T, 'subscriber' | 'key' | 'connection'> : never

function note({ name: subscriber, key, connection }: Subscriber, fact: Fact<Noted>): void {
  output.write(`${JSON.stringify({ at: Date.now(), subscriber, key, connection, ...fact })}\n`)
}
