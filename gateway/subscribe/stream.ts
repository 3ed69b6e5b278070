import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import type { Answer } from '../operation.ts'
import { createSieve, type Sieve } from '../sieve.ts'
import type { Cursor } from './cursor.ts'
import { type Budget, createRing } from './ring.ts'
import type { Result, Sink } from './sink.ts'
import { type Ended, type Opening, type Positions, type Subject, unknownVersion } from './subject.ts'
import type { Notice, StreamEvent } from './topics.ts'

/**
 * SNAPSHOT is the state, DELTA an event after it, RESYNC the state again, since events in between were not sent. PAUSED
 * says that no event can come for now and RESUMED that they come again; both repeat the result before.
 */
type Kind = 'SNAPSHOT' | 'DELTA' | 'RESYNC' | 'PAUSED' | 'RESUMED'

/**
 * One execution for all who may share it: a result is made once for an event, kept a while, and taken from there by each
 * subscriber at its own pace. Who comes too late for it gets the state again.
 */
export type Stream = {
  /** Begins with the state, as what it is told; or after the result of a cursor. */
  join(sink: Sink, from: Cursor | 'SNAPSHOT' | 'RESYNC'): Reader
  /** Goes on with what another supergraph makes of it. */
  replace(subject: Subject): void
  /** Ends it for all. */
  end(errors: readonly GraphQLFormattedError[] | null): void
  close(): void
}

export type Reader = { resume(): void; leave(): void }

type Rooms = {
  subject: Subject
  /** The cursor for who has seen the version and all before the positions. */
  seal: (subject: Subject, version: number, positions: Positions) => Promise<string>
  /** What went wrong, as subscribers are told. */
  told: (error: unknown) => readonly GraphQLFormattedError[]
  kept: Kept
  now?: () => number
}

/** What all streams of a process keep together: for readers who lag, and for those who come back. */
export type Kept = { budget: Budget; replayed: Sieve<Frame>; streams: number }

export const createKept = (bytes: number): Kept => ({
  budget: { leftBytes: bytes },
  replayed: createSieve<Frame>(bytes / 8, Number.POSITIVE_INFINITY, sizeOf),
  streams: 0,
})

/** The state as it was read: events that it does not have are in the ring from there on. */
type State = Opening & { next: number; frames: Map<Kind, Promise<Frame>> }

/** What is made of an event, apart from its place in the stream. */
type Body = {
  /** JSON of the answer without its last brace. */
  begun: string
  extensions: Record<string, unknown>
}

type Frame = Result & {
  body: Body
  version: number
  cursor: string | null
}

const keptFrames = 1_000
const keptBytes = 512 * 1024
const concurrency = 16
const mostUnderWay = 2_000
const readersInOneTurn = 256
const visibleForMs = 30_000
const behindMs = 50
const mostBehindMs = 30_000

export function openStream({ subject: first, seal, told, kept, now = Date.now }: Rooms): Stream {
  let subject = first
  const ring = createRing<Frame>({ count: keptFrames, bytes: keptBytes, budget: kept.budget }, sizeOf)
  const repetitions = new WeakMap<Frame, Map<Kind, Frame>>()
  const own = ++kept.streams
  const replaying = new Map<string, Promise<Frame | null>>()
  const readers = new Set<LiveReader>()
  const closed = new AbortController()
  const inTurn = atMost(concurrency)
  /** Grows when events were missed: what began before is of no use. */
  let epoch = 0
  let isAway = false
  let over: { errors: readonly GraphQLFormattedError[] | null } | null = null
  let visibleSince = now()
  /** Of those that many entities' events come from: what has been made into results. */
  let seen: Positions = {}
  let underWay = 0
  let last: Promise<void> = Promise.resolve()
  let opening: Promise<State> | null = null
  let sweeping = false
  let sweepAgain = false
  let detach = attach()

  function attach(): () => void {
    const leave = subject.attach(receive)
    seen = subject.positions()
    return leave
  }

  /** Follows another source of the same events, of which all before the positions were received. */
  function moveFrom(read: Positions, goesOn: boolean) {
    // It tells of its own outage, if there is one.
    isAway = false
    const before = seen
    const waiting: (StreamEvent | Notice | Ended)[] = []
    let take = (item: StreamEvent | Notice | Ended): void => void waiting.push(item)
    const isNew = (item: StreamEvent | Notice | Ended) =>
      typeof item === 'string' || 'ended' in item || BigInt(item.offset) >= BigInt(read[item.partition] ?? 0)
    detach = subject.attach((item) => take(item))
    if (!goesOn) {
      take = receive
      return restart()
    }
    seen = before
    const own = epoch
    const goOn = (events: StreamEvent[] | null) => {
      take = receive
      if (closed.signal.aborted) return
      const goesOnStill = own === epoch
      if (goesOnStill && !events) restart()
      const missed = goesOnStill && events ? events : []
      for (const item of [...missed, ...waiting]) if (isNew(item)) receive(item)
    }
    subject.missed(read, subject.positions(), closed.signal).then(goOn, (error: unknown) => {
      // Told in the log; the state is there all the same.
      if (!closed.signal.aborted) told(error)
      goOn(null)
    })
  }

  function receive(item: StreamEvent | Notice | Ended) {
    if (item === 'gap') return restart()
    if (item === 'away' || item === 'back') {
      isAway = item === 'away'
      return sweep()
    }
    if ('ended' in item) return finish(item.ended)
    if (underWay >= mostUnderWay) return restart()
    underWay++
    const own = epoch
    const body = inTurn(async () => (own === epoch ? await bodyOf(item) : null))
    // Seen where its turn comes, which may be later.
    body.catch(() => undefined)
    last = last.then(async () => {
      try {
        await append(item, await body, own)
      } catch (error) {
        if (!closed.signal.aborted) endAll(told(error))
      } finally {
        underWay--
      }
    })
  }

  /** Ends each when it has all that came before. */
  function finish(why: Error | null): void {
    const end = () => {
      over = { errors: why && told(why) }
      sweep()
    }
    last = last.then(end)
  }

  async function append(event: StreamEvent, body: Body | null, own: number): Promise<void> {
    if (own !== epoch) return
    const positions = { ...seen, ...after(event) }
    if (body) {
      if (subject.isKeyed && now() - visibleSince > visibleForMs && (await hidden())) return
      const frame = await sealed('DELTA', body, event.version, subject.isKeyed ? after(event) : positions)
      if (own !== epoch) return
      ring.push(frame)
    }
    // In one turn with the frame: who begins in between would miss the event, or get it twice.
    seen = positions
    if (body) sweep()
  }

  /** Whether it may not be seen any more, which is told to all. */
  async function hidden(): Promise<boolean> {
    const refusal = await subject.refusal()
    if (!refusal?.isKnown) {
      if (!refusal) visibleSince = now()
      return false
    }
    const frame = resultOf(bodyIn(refusal.answer))
    for (const reader of readers) reader.finish(frame)
    return true
  }

  async function bodyOf(event: StreamEvent): Promise<Body | null> {
    const answer = await subject.read(event)
    return answer && bodyIn(answer)
  }

  async function sealed(kind: Kind, body: Body, version: number, positions: Positions): Promise<Frame> {
    if (subject.topic === null) return { ...resultOf(body), body, version, cursor: null }
    return frameOf(kind, body, version, await seal(subject, version, positions))
  }

  /** The frame as something else, made once for all. */
  function repeated(kind: 'RESYNC' | 'PAUSED' | 'RESUMED', frame: Frame): Frame {
    const known = repetitions.get(frame) ?? new Map<Kind, Frame>()
    repetitions.set(frame, known)
    const again = known.get(kind) ?? frameOf(kind, frame.body, frame.version, frame.cursor)
    known.set(kind, again)
    return again
  }

  /** The state, read once for those who wait for it at the same time. */
  function open(): Promise<State> {
    if (opening) return opening
    const reading = read()
    const over = () => {
      if (opening === reading) opening = null
    }
    reading.then(over, over)
    opening = reading
    return reading
  }

  async function read(): Promise<State> {
    const { end: next } = ring
    const before = { ...seen }
    const found = await subject.open()
    return { ...found, positions: subject.isKeyed ? found.positions : before, next, frames: new Map() }
  }

  function stateFrame(kind: Kind, { answer, version, positions, frames }: State): Promise<Frame> | null {
    if (!answer) return null
    const frame = frames.get(kind) ?? sealed(kind, bodyIn(answer), version, positions)
    frames.set(kind, frame)
    return frame
  }

  /** Events were missed: all begin again with the state. */
  function restart(): void {
    epoch++
    ring.clear()
    opening = null
    seen = subject.positions()
    sweep()
  }

  function endAll(errors: readonly GraphQLFormattedError[] | null): void {
    for (const reader of readers) reader.end(errors)
  }

  // Thousands of sockets are written to in several turns of the event loop.
  function sweep(): void {
    if (sweeping) sweepAgain = true
    else void sweepAll()
  }

  async function sweepAll(): Promise<void> {
    sweeping = true
    do {
      sweepAgain = false
      let count = 0
      for (const reader of readers) {
        try {
          reader.pump()
        } catch (error) {
          reader.end(told(error))
        }
        if (++count % readersInOneTurn === 0) await setImmediate()
      }
    } while (sweepAgain)
    sweeping = false
  }

  type LiveReader = Reader & {
    pump(): void
    end(errors: readonly GraphQLFormattedError[] | null): void
    /** The last result, and the end. */
    finish(result: Result): void
  }

  function createReader(sink: Sink, from: Cursor | 'SNAPSHOT' | 'RESYNC'): LiveReader {
    let state: 'beginning' | 'live' | 'left' = 'beginning'
    /** The number of the next frame. */
    let next = 0
    let version = unknownVersion
    /** A hole in the versions is a loss: but right after a state, whose version need not be the log's. */
    let mayMiss = false
    let began = epoch
    let latest: Frame | null = null
    let toldAway = false
    /** Something was missed that no state makes good: the next result says so. */
    let hasMissed = false
    let room: PromiseWithResolvers<void> | null = null
    let gone: AbortController | null = null

    const joinedAt = ring.end

    const isLeft = () => state === 'left'

    function send(frame: Frame): void {
      version = frame.version
      latest = frame
      sink.next(frame)
    }

    const misses = (frame: { version: number }) =>
      subject.hasEachVersion && mayMiss && version !== unknownVersion && frame.version > version + 1

    const isOld = (frame: { version: number }) =>
      subject.isKeyed && version !== unknownVersion && frame.version <= version

    function pump() {
      while (state === 'live') {
        if (began !== epoch || next < ring.first) return begin(() => fromState('RESYNC'))
        const frame = ring.at(next)
        if (!frame) return over ? end(over.errors) : tellOutage()
        if (!sink.hasRoom()) return
        if (misses(frame)) return begin(() => fromState('RESYNC'))
        next++
        if (isOld(frame)) continue
        send(hasMissed ? repeated('RESYNC', frame) : frame)
        hasMissed = false
        mayMiss = true
      }
    }

    function tellOutage(): void {
      if (toldAway === isAway || !latest || !sink.hasRoom()) return
      toldAway = isAway
      sink.next(repeated(isAway ? 'PAUSED' : 'RESUMED', latest))
    }

    function begin(how: () => Promise<void>): void {
      state = 'beginning'
      how().catch((error: unknown) => {
        if (!isLeft()) end(told(error))
      })
    }

    async function roomInSink(): Promise<void> {
      while (!isLeft() && !sink.hasRoom()) {
        room ??= Promise.withResolvers()
        await room.promise
      }
    }

    function goLive(from: number) {
      if (isLeft()) return
      if (isAway && !latest && subject.topic !== null) return begin(() => fromState('RESYNC'))
      next = from
      state = 'live'
      pump()
    }

    async function fromState(kind: Kind): Promise<void> {
      for (;;) {
        await roomInSink()
        began = epoch
        const found = await open()
        // What was missed meanwhile is missing in it.
        if (began !== epoch) continue
        const frame = found.isOver ? null : await stateFrame(kind, found)
        if (isLeft()) return
        if (found.isOver && found.answer) return finish(resultOf(bodyIn(found.answer)))
        mayMiss = false
        version = found.version
        hasMissed = !frame && kind === 'RESYNC'
        if (frame) send(frame)
        // Without a state nothing is in it of what came while there was no room.
        return goLive(subject.topic === null && kind === 'SNAPSHOT' ? joinedAt : found.next)
      }
    }

    async function fromCursor(old: Cursor): Promise<void> {
      began = epoch
      const refusal = await subject.refusal()
      if (isLeft()) return
      if (refusal) return finish(resultOf(bodyIn(refusal.answer)))
      await roomInSink()
      version = old.version
      mayMiss = true
      const at = subject.isKeyed ? numberAfter(version) : null
      if (at !== null) return goLive(at)
      gone = new AbortController()
      if (!subject.isKeyed && !(await isRead(old.positions))) return fromState('RESYNC')
      if (isLeft()) return
      const from = ring.end
      const events = await subject
        .missed(old.positions, subject.isKeyed ? subject.positions() : { ...seen }, gone.signal)
        .catch((error: unknown) => {
          if (isLeft() || error instanceof GraphQLError) throw error
          // Told in the log; the state is there all the same.
          told(error)
          return null
        })
      if (isLeft()) return
      if (!events || began !== epoch) return fromState('RESYNC')
      let { positions } = old
      for (const event of events) {
        if (isOld(event)) continue
        if (misses(event)) return fromState('RESYNC')
        positions = { ...positions, [event.partition]: event.next }
        const frame = await frameAgain(event, positions)
        await roomInSink()
        if (isLeft()) return
        if (began !== epoch) return fromState('RESYNC')
        if (frame) send(frame)
      }
      goLive(from)
    }

    /** Where the cursor is of an instance that was further on: false where the log is not so long. */
    async function isRead(positions: Positions): Promise<boolean> {
      for (let waitedMs = 0; !reaches(subject.positions(), positions); waitedMs += behindMs) {
        if (isLeft() || waitedMs >= mostBehindMs) return false
        await sleep(behindMs)
      }
      // What was read is made into results first.
      await last
      return true
    }

    function finish(result: Result): void {
      if (isLeft()) return
      sink.next(result)
      end(null)
    }

    function end(errors: readonly GraphQLFormattedError[] | null): void {
      if (isLeft()) return
      leave()
      if (errors) sink.end(errors)
      else sink.end()
    }

    function leave(): void {
      state = 'left'
      readers.delete(reader)
      room?.resolve()
      gone?.abort(new Error('the subscription is over'))
    }

    const reader: LiveReader = {
      pump,
      end,
      finish,
      leave,
      resume() {
        room?.resolve()
        room = null
        pump()
      },
    }
    readers.add(reader)
    begin(() => (typeof from === 'string' ? fromState(from) : fromCursor(from)))
    return reader
  }

  /** The number of the frame that comes after a version, where it is known that it is the next. */
  function numberAfter(version: number): number | null {
    if (version === unknownVersion) return null
    for (let number = ring.end - 1; number >= ring.first; number--) {
      const frame = ring.at(number)
      if (frame?.version === version) return number + 1
      if (frame && frame.version < version) return null
      if (frame?.version === version + 1) return number
    }
    return null
  }

  /** A result that was made before, for those who missed it; of one entity it is the same for all. */
  async function frameAgain(event: StreamEvent, positions: Positions): Promise<Frame | null> {
    const make = async () => {
      const body = await inTurn(() => bodyOf(event))
      return body && (await sealed('DELTA', body, event.version, subject.isKeyed ? after(event) : positions))
    }
    if (!subject.isKeyed) return await make()
    const name = `${own} ${epoch} ${event.partition} ${event.offset}`
    const known = kept.replayed.get(name)
    if (known) return known
    const making = replaying.get(name) ?? make().finally(() => replaying.delete(name))
    replaying.set(name, making)
    const frame = await making
    if (frame) kept.replayed.set(name, frame)
    return frame
  }

  return {
    join: createReader,
    replace(other) {
      const { name, source } = subject
      const [before, read] = [seen, subject.positions()]
      detach()
      subject = other
      if (other.source !== source) return moveFrom(read, other.name === name)
      detach = attach()
      if (other.name === name) seen = before
      else restart()
    },
    end(errors) {
      over = { errors }
      endAll(errors)
    },
    close() {
      closed.abort(new Error('the subscription is over'))
      detach()
      endAll(null)
      // What is being made comes too late.
      epoch++
      ring.clear()
    },
  }
}

/** Of partitions that only one of them knows nothing is said. */
const reaches = (positions: Positions, goal: Positions): boolean =>
  Object.entries(goal).every(
    ([partition, offset]) => BigInt(positions[partition] ?? offset) >= BigInt(offset),
  )

const after = ({ partition, next }: StreamEvent): Positions => ({ [partition]: next })

function bodyIn({ text, data, errors, extensions = {} }: Answer): Body {
  const more = errors ? `,"errors":${JSON.stringify(errors)}` : ''
  return { begun: `{"data":${text ?? JSON.stringify(data ?? null)}${more}`, extensions }
}

const sizeOf = ({ text, body }: Frame): number => text.length + body.begun.length

/** Without a place in a stream. */
const resultOf = (body: Body): Result => ({ text: textOf(body, body.extensions) })

function frameOf(kind: Kind, body: Body, version: number, cursor: string | null): Frame {
  const stream = { kind, cursor, version: version === unknownVersion ? null : version }
  return { text: textOf(body, { ...body.extensions, stream }), body, version, cursor }
}

function textOf({ begun }: Body, extensions: Record<string, unknown>): string {
  const more = JSON.stringify(extensions)
  return more === '{}' ? `${begun}}` : `${begun},"extensions":${more}}`
}

/** Runs so many at a time, in the order in which they come. */
function atMost(count: number) {
  let free = count
  const waiting: (() => void)[] = []
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
