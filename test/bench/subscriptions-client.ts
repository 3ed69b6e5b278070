import { connect, type Socket } from 'node:net'
import { offer } from './child.ts'
import { clientFrame, opcodes, readFrames } from './subscriptions-frames.ts'

/** Sockets with one subscription each, to the same document with the same variables. */
type Subscribers = {
  group: string
  url: string
  count: number
  /** Taken in turn. */
  authorizations: string[]
  query: string
  variables: Record<string, unknown>
  /** Variables of another subscription on the same socket, whose results are not looked at. */
  filler?: Record<string, unknown>
}

export type Reception = {
  open: number
  /** Results by what they say of themselves. */
  snapshots: number
  deltas: number
  resyncs: number
  /** Versions that a DELTA passed over, and those that a RESYNC stands for, its own included. */
  lost: number
  resynced: number
  /** DELTAs whose version had been there before. */
  repeated: number
  /** Results with errors, and the first of them. */
  faulty: number
  fault: string | null
  bytes: number
  /** When each version came to each: milliseconds of the machine's monotonic clock. */
  receipts: Record<number, number[]>
  /** What came that was no result: messages, close frames, ends. */
  told: { text: string; at: number }[]
}

export type ClientOffers = {
  /** Answers when all have their first result. */
  open(subscribers: Subscribers): Promise<void>
  /** Answers when all that are open have this version, or a later one. */
  reached(target: { group: string; version: number }): Promise<void>
  /** What came since it was asked the last time. */
  reception(group: string): Reception
  /** Reads no more, so that the kernel's buffers fill. */
  pause(group: string): void
  resume(group: string): void
  close(group: string): Promise<void>
}

type Subscriber = {
  socket: Socket
  upgraded: boolean
  rest: Buffer
  version: number
  open: boolean
  began: PromiseWithResolvers<void>
}
type Waiting = { version: number; left: number; resolve: () => void }
type Group = { of: Subscribers; subscribers: Subscriber[]; reception: Reception; waiting: Waiting | null }

const openingAtOnce = 50
const deadlineMs = 120_000
const none = Buffer.alloc(0)
const groups = new Map<string, Group>()

/** The same clock in every process of the machine, in milliseconds. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

const emptyReception = (): Reception => ({
  open: 0,
  snapshots: 0,
  deltas: 0,
  resyncs: 0,
  lost: 0,
  resynced: 0,
  repeated: 0,
  faulty: 0,
  fault: null,
  bytes: 0,
  receipts: {},
  told: [],
})

async function open(of: Subscribers): Promise<void> {
  const group: Group = { of, subscribers: [], reception: emptyReception(), waiting: null }
  groups.set(of.group, group)
  let next = 0
  const opener = async () => {
    while (next < of.count) await begin(group, next++).began.promise
  }
  await within('the first results', Promise.all(Array.from({ length: openingAtOnce }, opener)))
  const closed = group.subscribers.filter((each) => !each.open).length
  if (closed > 0)
    throw new Error(`${closed} of ${of.count} subscriptions ended at once: ${group.reception.told[0]?.text}`)
}

function begin(group: Group, turn: number): Subscriber {
  const { host, hostname, port, pathname } = new URL(group.of.url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  const subscriber: Subscriber = {
    socket,
    upgraded: false,
    rest: none,
    version: -1,
    open: true,
    began: Promise.withResolvers(),
  }
  group.subscribers.push(subscriber)
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
      'sec-websocket-version: 13\r\nsec-websocket-key: c3Vic2NyaXB0aW9ucyEhIQ==\r\n' +
      'sec-websocket-protocol: graphql-transport-ws\r\n\r\n',
  )
  socket.on('data', (bytes: Buffer) => receive(group, subscriber, bytes, turn))
  socket.once('close', () => end(group, subscriber, 'socket closed'))
  socket.on('error', (error) => end(group, subscriber, error.message))
  return subscriber
}

const upgradeEnd = '\r\n\r\n'

function receive(group: Group, subscriber: Subscriber, bytes: Buffer, turn: number): void {
  const { socket } = subscriber
  const at = monotonicMs()
  let all = subscriber.rest.length > 0 ? Buffer.concat([subscriber.rest, bytes]) : bytes
  if (!subscriber.upgraded) {
    const headEnd = all.indexOf(upgradeEnd)
    if (headEnd < 0) {
      subscriber.rest = all
      return
    }
    const head = all.subarray(0, headEnd).toString()
    if (!head.startsWith('HTTP/1.1 101')) {
      end(group, subscriber, head)
      return
    }
    subscriber.upgraded = true
    const { authorizations } = group.of
    const authorization = authorizations[turn % authorizations.length]
    send(socket, { type: 'connection_init', payload: { authorization } })
    all = all.subarray(headEnd + upgradeEnd.length)
  }
  subscriber.rest = readFrames(all, (opcode, start, stop) => {
    if (opcode === opcodes.text) message(group, subscriber, all, start, stop, at)
    else if (opcode === opcodes.ping) socket.write(clientFrame(opcodes.pong, all.subarray(start, stop)))
    else if (opcode === opcodes.close)
      end(group, subscriber, `close ${all.readUInt16BE(start)} ${all.toString('utf8', start + 2, stop)}`)
  })
}

const isNext = '"type":"next"'
const fillerId = 'filler'
const versionKey = '"version":'
const kindKey = '"kind":"'

function message(
  group: Group,
  subscriber: Subscriber,
  bytes: Buffer,
  start: number,
  stop: number,
  at: number,
): void {
  const found = (what: string): number => {
    const place = bytes.indexOf(what, start)
    return place < 0 || place >= stop ? -1 : place + what.length
  }
  const within64 = (what: string): boolean => {
    const place = found(what)
    return place >= 0 && place <= start + 64
  }
  if (group.of.filler && within64(fillerId)) return
  if (!within64(isNext)) {
    otherMessage(group, subscriber, bytes.toString('utf8', start, stop), at)
    return
  }
  const [versionAt, kindAt] = [found(versionKey), found(kindKey)]
  if (versionAt < 0 || kindAt < 0) {
    tell(group, bytes.toString('utf8', start, stop), at)
    return
  }
  const { reception } = group
  const version = numberAt(bytes, versionAt)
  const before = subscriber.version
  reception.bytes += stop - start
  if (found('"errors":[') >= 0) {
    reception.faulty++
    reception.fault ??= bytes.toString('utf8', start, stop)
  }
  const kind = bytes.toString('latin1', kindAt, bytes.indexOf('"', kindAt))
  if (kind === 'DELTA') {
    reception.deltas++
    if (version > before + 1) reception.lost += version - before - 1
    if (version <= before) reception.repeated++
    const receipts = reception.receipts[version]
    if (receipts) receipts.push(at)
    else reception.receipts[version] = [at]
  } else if (kind === 'RESYNC') {
    reception.resyncs++
    reception.resynced += Math.max(0, version - before)
  } else if (kind === 'SNAPSHOT') reception.snapshots++
  else tell(group, bytes.toString('utf8', start, stop), at)
  subscriber.version = Math.max(version, before)
  subscriber.began.resolve()
  advance(group, before, subscriber.version)
}

function numberAt(bytes: Buffer, from: number): number {
  let value = 0
  for (let at = from; bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at++) value = value * 10 + bytes[at]! - 0x30
  return value
}

function otherMessage(group: Group, subscriber: Subscriber, text: string, at: number): void {
  const { type } = JSON.parse(text) as { type: string }
  const { query, variables, filler } = group.of
  if (type === 'connection_ack') {
    send(subscriber.socket, { id: '1', type: 'subscribe', payload: { query, variables } })
    if (filler)
      send(subscriber.socket, { id: fillerId, type: 'subscribe', payload: { query, variables: filler } })
  } else if (type === 'ping') send(subscriber.socket, { type: 'pong' })
  else tell(group, text, at)
  if (type === 'error' || type === 'complete') over(group, subscriber)
}

const send = (socket: Socket, what: object) =>
  void socket.write(clientFrame(opcodes.text, Buffer.from(JSON.stringify(what))))

const tell = (group: Group, text: string, at: number) => void group.reception.told.push({ text, at })

function end(group: Group, subscriber: Subscriber, why: string): void {
  if (!subscriber.open) return
  tell(group, why, monotonicMs())
  over(group, subscriber)
  subscriber.socket.destroy()
}

function over(group: Group, subscriber: Subscriber): void {
  if (!subscriber.open) return
  subscriber.open = false
  subscriber.began.resolve()
  advance(group, subscriber.version, Number.POSITIVE_INFINITY)
}

function advance({ waiting }: Group, before: number, now: number): void {
  if (!waiting || before >= waiting.version || now < waiting.version) return
  waiting.left--
  if (waiting.left === 0) waiting.resolve()
}

async function reached({ group: name, version }: { group: string; version: number }): Promise<void> {
  const group = groupOf(name)
  const left = group.subscribers.filter((each) => each.open && each.version < version).length
  if (left === 0) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiting = { version, left, resolve }
  group.waiting = waiting
  await within(`version ${version}`, promise, () => ` ${waiting.left} of ${group.of.count} have not got it`)
  group.waiting = null
}

async function within<T>(what: string, work: Promise<T>, more: () => string = () => ''): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error(`${what}: not within ${deadlineMs / 1_000} s.${more()}`)),
    deadlineMs,
  )
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function groupOf(name: string): Group {
  const group = groups.get(name)
  if (!group) throw new Error(`no subscribers are called ${name}`)
  return group
}

if (import.meta.main)
  offer({
    open,
    reached,
    reception(name) {
      const group = groupOf(name)
      const { reception, subscribers } = group
      group.reception = emptyReception()
      return { ...reception, open: subscribers.filter((each) => each.open).length }
    },
    pause: (name) => groupOf(name).subscribers.forEach(({ socket }) => void socket.pause()),
    resume: (name) => groupOf(name).subscribers.forEach(({ socket }) => void socket.resume()),
    async close(name) {
      const { subscribers } = groupOf(name)
      groups.delete(name)
      await Promise.all(
        subscribers.map(
          (each) =>
            new Promise<void>((closed) => {
              each.open = false
              if (each.socket.destroyed) return closed()
              each.socket.once('close', () => closed())
              each.socket.destroy()
            }),
        ),
      )
    },
  } satisfies ClientOffers)
