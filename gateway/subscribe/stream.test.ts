import { GraphQLError } from 'graphql'
import { expect, test } from 'vitest'
import type { Answer } from '../operation.ts'
import type { Sink } from './sink.ts'
import { createKept, openStream, type Reader } from './stream.ts'
import type { Ended, Opening, Subject } from './subject.ts'
import type { Notice, StreamEvent } from './topics.ts'

type Received = { data?: { version: number | null } | null; stream?: Record<string, unknown> }

const event = (version: number): StreamEvent => ({
  key: 'k',
  version,
  value: {},
  partition: '0',
  offset: String(version),
  next: String(version + 1),
  traceparent: undefined,
})

const answer = (version: number | null): Answer => ({ data: { version } })

/** An entity whose state is what was told last, and the stream of it. */
function followed(
  changes: Partial<Subject> = {},
  sealing = () => Promise.resolve(),
  kept = createKept(10_000_000),
) {
  let listener: (item: StreamEvent | Notice | Ended) => void = () => undefined
  let version = 0
  let time = 0
  const made: number[] = []
  const subject: Subject = {
    name: 'subject',
    source: 'log',
    isKeyed: true,
    hasEachVersion: true,
    topic: 'topic',
    attach(each) {
      listener = each
      return () => {
        listener = () => undefined
      }
    },
    positions: () => ({ 0: String(version + 1) }),
    open: (): Promise<Opening> =>
      Promise.resolve({
        answer: answer(version),
        version,
        positions: { 0: String(version + 1) },
        isOver: false,
      }),
    refusal: () => Promise.resolve(null),
    read(each) {
      made.push(each.version)
      return Promise.resolve(answer(each.version))
    },
    missed: () => Promise.resolve(null),
    ...changes,
  }
  const stream = openStream({
    subject,
    async seal(_, at, positions) {
      await sealing()
      return `${at} ${JSON.stringify(positions)}`
    },
    told: (error) => [{ message: String(error) }],
    kept,
    now: () => time,
  })
  return {
    subject,
    stream,
    made,
    pass: (ms: number) => {
      time += ms
    },
    tell: (item: StreamEvent | Notice | Ended) => listener(item),
    /** So many events, each a version more. */
    advance: (times = 1) => {
      for (let n = 0; n < times; n++) listener(event(++version))
    },
    /** A change that no event tells of. */
    jump: (to: number) => {
      version = to
    },
  }
}

function subscriber() {
  const received: Received[] = []
  const texts: string[] = []
  const ended: unknown[] = []
  let room = Number.POSITIVE_INFINITY
  const sink: Sink = {
    hasRoom: () => room > 0,
    next({ text }) {
      room--
      texts.push(text)
      const { data, extensions } = JSON.parse(text) as {
        data: Received['data']
        extensions?: { stream: Record<string, unknown> }
      }
      received.push({ data: data ?? null, ...(extensions ? { stream: extensions.stream } : {}) })
    },
    end: (errors) => void ended.push(errors ?? 'complete'),
  }
  return {
    sink,
    received,
    texts,
    ended,
    told: () => received.map(({ stream, data }) => `${String(stream?.kind)} ${data?.version}`),
    leaveRoom(count: number, reader?: Reader) {
      room = count
      reader?.resume()
    },
  }
}

const settled = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('all who share a stream get one text for each event, made once', async () => {
  const { stream, advance, made } = followed()
  const [one, two] = [subscriber(), subscriber()]
  stream.join(one.sink, 'SNAPSHOT')
  await settled()
  advance(2)
  await settled()
  stream.join(two.sink, 'SNAPSHOT')
  await settled()
  advance()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'DELTA 2', 'DELTA 3'])
  expect(two.told()).toEqual(['SNAPSHOT 2', 'DELTA 3'])
  expect(two.texts.at(-1)).toBe(one.texts.at(-1))
  expect(made).toEqual([1, 2, 3])
})

test('results keep their order however long each takes to make', async () => {
  const slow = Promise.withResolvers<Answer>()
  const { stream, advance } = followed({
    read: (each) => (each.version === 1 ? slow.promise : Promise.resolve(answer(each.version))),
  })
  const one = subscriber()
  stream.join(one.sink, 'SNAPSHOT')
  await settled()
  advance(3)
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0'])
  slow.resolve(answer(1))
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'DELTA 2', 'DELTA 3'])
})

test('who has no room is waited for by nobody, and gets what it missed', async () => {
  const { stream, advance } = followed()
  const [slow, fast] = [subscriber(), subscriber()]
  slow.leaveRoom(2)
  const reader = stream.join(slow.sink, 'SNAPSHOT')
  stream.join(fast.sink, 'SNAPSHOT')
  await settled()
  advance(5)
  await settled()
  expect(fast.told()).toHaveLength(6)
  expect(slow.told()).toEqual(['SNAPSHOT 0', 'DELTA 1'])
  slow.leaveRoom(10, reader)
  expect(slow.told()).toEqual(fast.told())
})

test('who is too far behind gets the state again, and no result twice', async () => {
  const { stream, advance } = followed()
  const slow = subscriber()
  slow.leaveRoom(1)
  const reader = stream.join(slow.sink, 'SNAPSHOT')
  await settled()
  for (let n = 0; n < 30; n++) {
    advance(50)
    await settled()
  }
  slow.leaveRoom(3, reader)
  await settled()
  expect(slow.told()).toEqual(['SNAPSHOT 0', 'RESYNC 1500'])
  advance(2)
  await settled()
  expect(slow.told().slice(2)).toEqual(['DELTA 1501', 'DELTA 1502'])
})

test('a gap is told to all, and what was under way before it is let go', async () => {
  const slow = Promise.withResolvers<Answer>()
  const graph = followed({
    read: (each) => (each.version === 1 ? slow.promise : Promise.resolve(answer(each.version))),
  })
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.advance()
  graph.jump(7)
  graph.tell('gap')
  slow.resolve(answer(1))
  await settled()
  graph.advance()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'RESYNC 7', 'DELTA 8'])
})

test('a gap while the first state is read: the state is read again', async () => {
  const read = Promise.withResolvers<void>()
  const graph = followed()
  const open = graph.subject.open.bind(graph.subject)
  graph.subject.open = async () => {
    const found = await open()
    await read.promise
    return found
  }
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.jump(9)
  graph.tell('gap')
  read.resolve()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 9'])
})

test('an outage of the log is told by the last result, once, and so is its end', async () => {
  const { stream, advance, tell } = followed()
  const [one, two] = [subscriber(), subscriber()]
  stream.join(one.sink, 'SNAPSHOT')
  await settled()
  advance()
  await settled()
  tell('away')
  await settled()
  advance()
  await settled()
  stream.join(two.sink, 'SNAPSHOT')
  await settled()
  expect(one.received.at(2)?.stream).toEqual({ ...one.received.at(1)?.stream, kind: 'PAUSED' })
  tell('back')
  await settled()
  advance()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'PAUSED 1', 'DELTA 2', 'RESUMED 2', 'DELTA 3'])
  expect(two.told()).toEqual(['SNAPSHOT 2', 'PAUSED 2', 'RESUMED 2', 'DELTA 3'])
})

test('who comes back with a cursor goes on after it, from the ring or from the log', async () => {
  const asked: unknown[] = []
  const graph = followed({
    missed(from, until) {
      asked.push([from, until])
      return Promise.resolve([1, 2, 3].map(event))
    },
  })
  graph.jump(3)
  const fromLog = subscriber()
  const cursor = { topic: 'topic', operation: '', version: 1, positions: { 0: '2' } }
  graph.stream.join(fromLog.sink, cursor)
  await settled()
  graph.advance(2)
  await settled()
  expect(fromLog.told()).toEqual(['DELTA 2', 'DELTA 3', 'DELTA 4', 'DELTA 5'])
  expect(asked).toEqual([[{ 0: '2' }, { 0: '4' }]])
  const fromRing = subscriber()
  graph.stream.join(fromRing.sink, { ...cursor, version: 4, positions: { 0: '5' } })
  await settled()
  expect(fromRing.told()).toEqual(['DELTA 5'])
  expect(asked).toHaveLength(1)
})

test('a hole in the versions is a loss, and the state is told again', async () => {
  const graph = followed()
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.advance()
  await settled()
  graph.jump(4)
  graph.advance()
  await settled()
  graph.advance()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'RESYNC 5', 'DELTA 6'])
})

test('where only some events match, a hole in the versions is none', async () => {
  const graph = followed({ hasEachVersion: false, missed: () => Promise.resolve([4, 6].map(event)) })
  graph.jump(6)
  const one = subscriber()
  graph.stream.join(one.sink, { topic: 'topic', operation: '', version: 1, positions: { 0: '2' } })
  await settled()
  graph.jump(8)
  graph.advance()
  await settled()
  expect(one.told()).toEqual(['DELTA 4', 'DELTA 6', 'DELTA 9'])
})

test('streams that together keep too much keep less each, their latest result at least', async () => {
  const kept = createKept(600)
  const [large, small] = [followed({}, undefined, kept), followed({}, undefined, kept)]
  const [fast, slow] = [subscriber(), subscriber()]
  small.stream.join(fast.sink, 'SNAPSHOT')
  const reader = small.stream.join(slow.sink, 'SNAPSHOT')
  large.advance(4)
  await settled()
  const lagBehind = async (events: number) => {
    slow.leaveRoom(0)
    small.advance(events)
    await settled()
    slow.leaveRoom(10, reader)
    await settled()
  }
  await lagBehind(3)
  large.stream.close()
  await lagBehind(2)
  expect(slow.told()).toEqual(['SNAPSHOT 0', 'RESYNC 3', 'DELTA 4', 'DELTA 5'])
  expect(fast.told()).toEqual(['SNAPSHOT 0', ...[1, 2, 3, 4, 5].map((version) => `DELTA ${version}`)])
  small.advance()
  small.stream.close()
  await settled()
  expect(kept.budget.leftBytes).toBe(600)
})

test('a cursor whose events the log has lost begins with the state', async () => {
  const holes = followed({ missed: () => Promise.resolve([3, 4].map(event)) })
  const lost = followed()
  for (const each of [holes, lost]) {
    each.jump(4)
    const one = subscriber()
    each.stream.join(one.sink, { topic: 'topic', operation: '', version: 1, positions: { 0: '2' } })
    await settled()
    expect(one.told()).toEqual(['RESYNC 4'])
  }
})

test('where what was missed can’t be read the state is told, but a refusal is told as one', async () => {
  const cursor = { topic: 'topic', operation: '', version: 1, positions: { 0: '2' } }
  const broken = followed({ missed: () => Promise.reject(new Error('no broker')) })
  const one = subscriber()
  broken.stream.join(one.sink, cursor)
  await settled()
  expect(one.told()).toEqual(['RESYNC 0'])
  const busy = followed({ missed: () => Promise.reject(new GraphQLError('too many')) })
  const two = subscriber()
  busy.stream.join(two.sink, cursor)
  await settled()
  expect(two.ended).toEqual([[{ message: 'too many' }]])
})

test('who joins what has ended is told so', async () => {
  const { stream } = followed()
  const one = subscriber()
  stream.end([{ message: 'gone' }])
  stream.join(one.sink, 'SNAPSHOT')
  await settled()
  expect(one.ended).toEqual([[{ message: 'gone' }]])
})

test('of many entities, a cursor stands for all that was told before it, however it came', async () => {
  const feed = followed({
    isKeyed: false,
    hasEachVersion: false,
    open: () => Promise.resolve({ answer: answer(null), version: -1, positions: {}, isOver: false }),
    missed: () => Promise.resolve([{ ...event(1), partition: '1', next: '8' }, event(5)]),
  })
  feed.jump(5)
  const one = subscriber()
  feed.stream.join(one.sink, { topic: 'topic', operation: '', version: 1, positions: { 0: '2', 1: '7' } })
  await settled()
  expect(one.received.map(({ stream }) => stream?.cursor)).toEqual([
    '1 {"0":"2","1":"8"}',
    '5 {"0":"6","1":"8"}',
  ])
})

test('what may not be seen any more ends the stream within half a minute of its events', async () => {
  let hidden = false
  const graph = followed({
    refusal: () => Promise.resolve(hidden ? { isKnown: true, answer: answer(null) } : null),
  })
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  hidden = true
  graph.advance()
  await settled()
  graph.pass(31_000)
  graph.advance(2)
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'undefined null'])
  expect(one.ended).toEqual(['complete'])
})

test('another supergraph that makes the same of it goes on; one that does not begins again', async () => {
  const graph = followed()
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.advance()
  graph.stream.replace({ ...graph.subject })
  graph.advance()
  await settled()
  graph.stream.replace({ ...graph.subject, name: 'other' })
  await settled()
  graph.advance()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'DELTA 2', 'RESYNC 2', 'DELTA 3'])
})

test('another reader of the log takes over where the one before was, with what came in between', async () => {
  const graph = followed()
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.advance(2)
  await settled()
  const missed = Promise.withResolvers<StreamEvent[]>()
  graph.stream.replace({ ...graph.subject, source: 'another', missed: () => missed.promise })
  graph.jump(3)
  graph.advance()
  await settled()
  missed.resolve([2, 3].map(event))
  await settled()
  graph.advance()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'DELTA 2', 'DELTA 3', 'DELTA 4', 'DELTA 5'])
})

test('what the state has already is not told again, though it is made later', async () => {
  const slow = Promise.withResolvers<Answer>()
  const graph = followed({ read: () => slow.promise })
  const one = subscriber()
  graph.advance()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  slow.resolve(answer(1))
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 1'])
})

test('who is told of a gap does not get a state that was begun before it', async () => {
  const graph = followed()
  const [one, two] = [subscriber(), subscriber()]
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  const read = Promise.withResolvers<Opening>()
  const open = graph.subject.open.bind(graph.subject)
  const before = await open()
  graph.subject.open = () => read.promise
  graph.stream.join(two.sink, 'SNAPSHOT')
  await settled()
  graph.subject.open = open
  graph.jump(9)
  graph.tell('gap')
  read.resolve(before)
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'RESYNC 9'])
  expect(two.told()).toEqual(['SNAPSHOT 9'])
})

test('more events than can be made into results in time are told as one state', async () => {
  const slow = Promise.withResolvers<Answer>()
  const graph = followed({ read: () => slow.promise })
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.advance(2_500)
  slow.resolve(answer(0))
  for (let turn = 0; turn < 100; turn++) await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'RESYNC 2500'])
})

test('who is without room while it catches up gets all of it later, and is not read for when it has left', async () => {
  const signals: AbortSignal[] = []
  const never = new Promise<StreamEvent[]>(() => undefined)
  const graph = followed({
    missed(_from, _until, signal) {
      signals.push(signal)
      return signals.length === 1 ? Promise.resolve([2, 3, 4].map(event)) : never
    },
  })
  graph.jump(4)
  const cursor = { topic: 'topic', operation: '', version: 1, positions: { 0: '2' } }
  const one = subscriber()
  one.leaveRoom(1)
  const reader = graph.stream.join(one.sink, cursor)
  await settled()
  expect(one.told()).toEqual(['DELTA 2'])
  one.leaveRoom(10, reader)
  await settled()
  expect(one.told()).toEqual(['DELTA 2', 'DELTA 3', 'DELTA 4'])
  const leaving = graph.stream.join(subscriber().sink, cursor)
  await settled()
  leaving.leave()
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, true])
})

test('who comes back during an outage is told the state and the outage', async () => {
  const graph = followed({ missed: () => Promise.resolve([]) })
  graph.tell('away')
  graph.jump(3)
  const one = subscriber()
  graph.stream.join(one.sink, { topic: 'topic', operation: '', version: 1, positions: { 0: '2' } })
  await settled()
  expect(one.told()).toEqual(['RESYNC 3', 'PAUSED 3'])
})

/** Events of many entities, in two partitions. */
function feed(changes: Partial<Subject> = {}, sealing = () => Promise.resolve()) {
  const graph = followed(
    {
      isKeyed: false,
      hasEachVersion: false,
      open: () => Promise.resolve({ answer: answer(null), version: -1, positions: {}, isOver: false }),
      positions: () => ({ 0: '1', 1: '1' }),
      ...changes,
    },
    sealing,
  )
  return { ...graph, tellOf: (partition: string, n: number) => graph.tell({ ...event(n), partition }) }
}

test('of a feed each cursor holds the positions of all partitions, from the first result on', async () => {
  const { stream, tellOf } = feed()
  const one = subscriber()
  tellOf('1', 4)
  await settled()
  stream.join(one.sink, 'SNAPSHOT')
  await settled()
  tellOf('0', 6)
  tellOf('1', 5)
  await settled()
  expect(one.received.map(({ stream: told }) => told?.cursor)).toEqual([
    '-1 {"0":"1","1":"5"}',
    '6 {"0":"7","1":"5"}',
    '5 {"0":"7","1":"6"}',
  ])
})

test('of a feed, who begins while a cursor is sealed neither misses the event nor gets it twice', async () => {
  const sealing = Promise.withResolvers<void>()
  const graph = feed({}, () => sealing.promise)
  graph.subject.missed = (_from, until) =>
    Promise.resolve(until['0'] === '1' ? [] : [{ ...event(6), partition: '0' }])
  graph.tellOf('0', 6)
  await settled()
  const one = subscriber()
  graph.stream.join(one.sink, { topic: 'topic', operation: '', version: -1, positions: { 0: '1', 1: '1' } })
  await settled()
  sealing.resolve()
  await settled()
  expect(one.told()).toEqual(['DELTA 6'])
})

test('of a feed, who comes from an instance that was further on waits until this one is', async () => {
  let read = '5'
  const graph = feed({
    positions: () => ({ 0: read, 1: '1' }),
    missed: (_from, until) => Promise.resolve(until['0'] === '8' ? [event(7)] : []),
  })
  const one = subscriber()
  graph.stream.join(one.sink, { topic: 'topic', operation: '', version: -1, positions: { 0: '7', 1: '1' } })
  await settled()
  graph.tellOf('0', 5)
  graph.tellOf('0', 6)
  read = '7'
  await settled()
  expect(one.received).toEqual([])
  graph.tellOf('0', 7)
  await expect.poll(one.told, { timeout: 5_000 }).toEqual(['DELTA 7'])
})

test('another reader of the log has outages of its own; where it can’t tell what was missed, the state is told', async () => {
  const graph = followed()
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.tell('away')
  await settled()
  graph.jump(4)
  graph.stream.replace({
    ...graph.subject,
    source: 'another',
    missed: () => Promise.reject(new Error('no broker')),
  })
  await settled()
  graph.advance()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'PAUSED 0', 'RESYNC 4', 'RESUMED 4', 'DELTA 5'])
})

test('a result that fails while another is made ends the stream, and nothing else', async () => {
  const slow = Promise.withResolvers<Answer>()
  const graph = followed({
    read: (each) => (each.version === 1 ? slow.promise : Promise.reject(new Error('broken'))),
  })
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.advance(2)
  await settled()
  slow.resolve(answer(1))
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0', 'DELTA 1'])
  expect(one.ended).toEqual([[{ message: 'Error: broken' }]])
})

test('of a feed too, what was under way before a gap is not told after it', async () => {
  const slow = Promise.withResolvers<Answer>()
  const graph = feed({
    read: (each) => (each.version === 1 ? slow.promise : Promise.resolve(answer(each.version))),
  })
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.tellOf('0', 1)
  graph.tell('gap')
  slow.resolve(answer(1))
  await settled()
  graph.tellOf('0', 2)
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT null', 'RESYNC null', 'DELTA 2'])
})

test('of a feed, another reader of the log tells nothing twice; where it can’t know, that something was missed', async () => {
  const graph = feed({ positions: () => ({ 0: '3', 1: '1' }) })
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.tellOf('0', 2)
  await settled()
  const missed = Promise.withResolvers<StreamEvent[]>()
  graph.stream.replace({ ...graph.subject, source: 'another', missed: () => missed.promise })
  for (const n of [1, 2, 3]) graph.tellOf('0', n)
  missed.resolve([])
  await settled()
  graph.stream.replace({ ...graph.subject, source: 'a third', missed: () => Promise.resolve(null) })
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT null', 'DELTA 2', 'DELTA 3', 'RESYNC null'])
})

test('nothing is sent to who has left, and the others go on', async () => {
  const { stream, advance } = followed()
  const [one, two] = [subscriber(), subscriber()]
  const reader = stream.join(one.sink, 'SNAPSHOT')
  stream.join(two.sink, 'SNAPSHOT')
  await settled()
  advance()
  reader.leave()
  await settled()
  expect(one.told()).toEqual(['SNAPSHOT 0'])
  expect(two.told()).toEqual(['SNAPSHOT 0', 'DELTA 1'])
  expect(one.ended).toEqual([])
})

test('what fails or ends at its source is told and ended', async () => {
  const failing = followed({ read: () => Promise.reject(new Error('broken')) })
  const one = subscriber()
  failing.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  failing.advance()
  await settled()
  expect(one.ended).toEqual([[{ message: 'Error: broken' }]])
  const ending = followed()
  const two = subscriber()
  ending.stream.join(two.sink, 'SNAPSHOT')
  await settled()
  ending.advance(2)
  ending.tell({ ended: null })
  await settled()
  expect(two.told()).toEqual(['SNAPSHOT 0', 'DELTA 1', 'DELTA 2'])
  expect(two.ended).toEqual(['complete'])
})

test('a source without a state tells a gap with its next event', async () => {
  const graph = followed({
    isKeyed: false,
    hasEachVersion: false,
    topic: null,
    open: () => Promise.resolve({ answer: null, version: -1, positions: {}, isOver: false }),
  })
  const one = subscriber()
  graph.stream.join(one.sink, 'SNAPSHOT')
  await settled()
  graph.advance()
  await settled()
  graph.tell('gap')
  await settled()
  graph.advance(2)
  await settled()
  expect(one.received).toEqual([
    { data: { version: 1 } },
    { data: { version: 2 }, stream: { kind: 'RESYNC', cursor: null, version: 2 } },
    { data: { version: 3 } },
  ])
})
