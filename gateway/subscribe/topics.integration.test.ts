import { randomUUID } from 'node:crypto'
import { readConfig } from '@community/infra/config.ts'
import { kafkaAvailable } from '@community/infra/embedded/kafka-jars.ts'
import type { EventLog, OutgoingEvent } from '@community/infra/eventlog.ts'
import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type BreakableLog, breakableKafka, breakablePostgres } from '../../test/eventlog.ts'
import { type Notice, type StreamEvent, startTopics, type Topics } from './topics.ts'

const log = createLog('test', 'fatal')
const config = readConfig()
const recentBytes = 16_000_000

const kafka = await kafkaAvailable()

// Where tests decide over a change, Kafka is not optional: without it they fail.
describe.skipIf(kafka !== true && !config.ci)('topics on Kafka', () => topicTests(breakableKafka))
describe('topics on Postgres', () => topicTests(breakablePostgres))

const event = (key: string, version: number, type = 'Move'): OutgoingEvent => ({
  key,
  headers: { ce_type: `ossa.test.${type}`, ce_aggregateversion: String(version), traceparent: `t${version}` },
  value: JSON.stringify({ at: `${key}${version}` }),
})
const events = (key: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => event(key, first + index))
const seen = (found: readonly (StreamEvent | Notice)[] | null) =>
  found?.map((each) => (typeof each === 'string' ? each : each.value.at)) ?? null
const forever = new AbortController().signal

function topicTests(begin: () => Promise<BreakableLog>): void {
  let opened: BreakableLog
  let writer: EventLog
  let reader: EventLog
  /** How many the reader was asked for. */
  let tails = 0
  let counting: EventLog

  beforeAll(async () => {
    opened = await begin()
    writer = await opened.open('writer')
    reader = await opened.open('reader')
    counting = {
      ...reader,
      tail: (...args) => {
        tails++
        return reader.tail(...args)
      },
    }
  }, 120_000)

  afterAll(async () => {
    await Promise.all([writer?.close(), reader?.close()])
    await opened?.close()
  })

  const newTopic = async () => {
    const topic = `test-${randomUUID()}`
    await writer.ensureTopics([topic])
    return topic
  }
  const start = async (topic: string, bytes = recentBytes) => {
    const topics = await startTopics(counting, [topic], log, bytes)
    onTestFinished(() => topics.stop())
    return topics
  }
  const listen = (topics: Topics, topic: string, key: string | null, type = 'Move') => {
    const heard: (StreamEvent | Notice)[] = []
    const detach = topics.attach({ topic, type, key }, (each) => heard.push(each))
    return {
      heard,
      detach,
      saw: (...all: unknown[]) => expect.poll(() => seen(heard), { timeout: 30_000 }).toEqual(all),
    }
  }
  /** What was appended until now was read: so many keys are in all partitions. */
  const untilRead = async (topics: Topics, topic: string) => {
    const mark = randomUUID()
    const markers = Array.from({ length: 60 }, (_, n) => event(`${mark} ${n}`, 1, 'Marker'))
    const { heard, detach } = listen(topics, topic, null, 'Marker')
    await writer.append(topic, markers)
    const own = () => heard.filter((each) => typeof each !== 'string' && each.key.startsWith(mark))
    await expect.poll(() => own().length, { timeout: 20_000 }).toBe(markers.length)
    detach()
  }

  test('those of a key and those of all get the same object, redelivered events once, and what is unreadable not', async () => {
    const topic = await newTopic()
    const topics = await start(topic)
    const one = listen(topics, topic, 'a')
    const other = listen(topics, topic, 'a')
    const all = listen(topics, topic, null)
    const otherType = listen(topics, topic, null, 'Other')
    await writer.append(topic, [...events('a', 1, 2), { ...event('a', 3), value: 'not JSON' }])
    await writer.append(topic, [...events('a', 1, 4), event('a', 9, 'Other')])
    await one.saw('a1', 'a2', 'a4')
    await writer.append(topic, [event('b', 7), event('b', 7), event('b', 6)])
    await all.saw('a1', 'a2', 'a4', 'b7')
    await otherType.saw('a9')
    one.detach()
    await writer.append(topic, [event('a', 5), event('b', 8)])
    await expect.poll(() => seen(all.heard)?.toSorted().slice(-2)).toEqual(['b7', 'b8'])
    expect(seen(other.heard)).toEqual(['a1', 'a2', 'a4', 'a5'])
    expect(seen(one.heard)).toEqual(['a1', 'a2', 'a4'])
    const [first] = all.heard
    expect(one.heard[0]).toBe(first)
    expect(other.heard[0]).toBe(first)
    expect(first).toEqual({
      key: 'a',
      version: 1,
      value: { at: 'a1' },
      partition: expect.any(String),
      offset: '0',
      next: '1',
      traceparent: 't1',
    })
  })

  test('a replay tells what was between two positions, from what is kept as from the log', async () => {
    const topic = await newTopic()
    const [kept, unkept] = [await start(topic), await start(topic, 0)]
    await writer.append(topic, [...events('a', 1, 3), ...events('b', 1, 2)])
    await Promise.all([untilRead(kept, topic), untilRead(unkept, topic)])
    const from = kept.positions(topic)
    // After a crash a relay appends again what it had appended.
    await writer.append(topic, [...events('a', 2, 5), event('b', 2), event('a', 1, 'Other')])
    await Promise.all([untilRead(kept, topic), untilRead(unkept, topic)])
    const until = kept.positions(topic)
    await writer.append(topic, events('a', 6, 7))
    await Promise.all([untilRead(kept, topic), untilRead(unkept, topic)])
    const address = { topic, type: 'Move', key: 'a' }
    tails = 0
    for (const topics of [kept, unkept]) {
      const replay = async (key: string | null, start: object, atMost = 10) =>
        seen(await topics.replay({ ...address, key }, { ...start }, until, atMost, forever))
      const beginning = Object.fromEntries(Object.keys(until).map((partition) => [partition, '0']))
      expect(await replay('a', from)).toEqual(['a4', 'a5'])
      expect((await replay(null, beginning))?.toSorted()).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2'])
      expect(await replay('a', beginning, 5)).toEqual(['a1', 'a2', 'a3', 'a4', 'a5'])
      expect(await replay('a', beginning, 4)).toBeNull()
      expect(await replay('a', until)).toEqual([])
      expect(await replay('nobody', from)).toEqual([])
      if (topics === kept) expect(tails).toBe(0)
    }
    expect(tails).toBe(5)
  })

  test('an instance that starts has what was appended before it', async () => {
    const topic = await newTopic()
    const first = await start(topic)
    const from = first.positions(topic)
    await writer.append(topic, events('a', 1, 20))
    await untilRead(first, topic)
    const second = await start(topic)
    const { saw, heard } = listen(second, topic, 'a')
    await writer.append(topic, [event('a', 20), event('a', 21)])
    await saw('a21')
    await untilRead(second, topic)
    tails = 0
    const missed = await second.replay(
      { topic, type: 'Move', key: 'a' },
      from,
      second.positions(topic),
      100,
      forever,
    )
    expect(seen(missed)).toEqual(events('a', 1, 21).map((_, index) => `a${index + 1}`))
    expect(tails).toBe(0)
    expect(seen(heard)).toEqual(['a21'])
  })

  test('those who wait for a topic are read for together, each from its own position', async () => {
    const topic = await newTopic()
    const topics = await start(topic, 0)
    const positions: Record<string, string>[] = []
    for (let version = 1; version <= 10; version++) {
      positions.push(topics.positions(topic))
      await writer.append(topic, [event('a', version), event('b', version)])
      await untilRead(topics, topic)
    }
    const until = topics.positions(topic)
    const leaving = new AbortController()
    tails = 0
    const asked = Array.from({ length: 200 }, (_, n) => {
      const address = { topic, type: 'Move', key: n % 2 ? 'a' : 'b' }
      const signal = n === 0 ? leaving.signal : forever
      return topics.replay(address, positions[n % 10] ?? {}, until, 100, signal)
    })
    leaving.abort(new Error('left'))
    await expect(asked[0]).rejects.toThrow('left')
    const found = await Promise.all(asked.slice(1))
    expect(tails).toBe(1)
    for (const [index, each] of found.entries()) {
      const n = index + 1
      const versions = Array.from({ length: 10 - (n % 10) }, (_, place) => (n % 10) + place + 1)
      expect(seen(each)).toEqual(versions.map((version) => `${n % 2 ? 'a' : 'b'}${version}`))
    }
  })

  test('who comes when too many wait is refused, and when those have left is not', async () => {
    const topic = await newTopic()
    const topics = await start(topic, 0)
    const from = topics.positions(topic)
    await writer.append(topic, [event('a', 1)])
    await untilRead(topics, topic)
    const leaving = new AbortController()
    const replay = (signal: AbortSignal) =>
      topics.replay({ topic, type: 'Move', key: 'a' }, from, topics.positions(topic), 10, signal)
    const waiting = Array.from({ length: 10_000 }, () => replay(leaving.signal))
    await expect(replay(forever)).rejects.toMatchObject({
      message: expect.stringContaining('subscribe without `after`'),
      extensions: { code: 'OVERLOADED' },
    })
    leaving.abort(new Error('left'))
    const left = await Promise.allSettled(waiting)
    expect(left.every((each) => each.status === 'rejected' && String(each.reason) === 'Error: left')).toBe(
      true,
    )
    expect(seen(await replay(forever))).toEqual(['a1'])
  })

  test('what the log has dropped can not be replayed; a part of a stream that it still has can', async () => {
    const topic = await newTopic()
    const topics = await start(topic, 0)
    const early = topics.positions(topic)
    await writer.append(topic, events('a', 1, 3))
    await untilRead(topics, topic)
    await opened.forget(topic)
    const late = topics.positions(topic)
    await writer.append(topic, events('a', 4, 5))
    await untilRead(topics, topic)
    const until = topics.positions(topic)
    const address = { topic, type: 'Move', key: 'a' }
    const [gone, there] = await Promise.all(
      [early, late].map((from) => topics.replay(address, from, until, 10, forever)),
    )
    expect(gone).toBeNull()
    expect(seen(there ?? null)).toEqual(['a4', 'a5'])
  })

  test('a log that was begun anew is a gap', async () => {
    const topic = await newTopic()
    const topics = await start(topic)
    const one = listen(topics, topic, 'a')
    await writer.append(topic, events('a', 1, 3))
    await one.saw('a1', 'a2', 'a3')
    await opened.beginAnew(topic)
    await expect.poll(() => one.heard.includes('gap'), { timeout: 30_000 }).toBe(true)
    await writer.append(topic, events('a', 1, 1))
    await expect.poll(() => seen(one.heard)?.at(-1), { timeout: 20_000 }).toBe('a1')
    expect(seen(one.heard)?.filter((each) => each !== 'away' && each !== 'back')).toEqual([
      'a1',
      'a2',
      'a3',
      'gap',
      'a1',
    ])
  })

  // The last: it leaves the log with another broker.
  test('an outage is told once, and after it nothing is missed and nothing told twice', async () => {
    const topic = await newTopic()
    const topics = await start(topic)
    const one = listen(topics, topic, 'a')
    const nobody = listen(topics, topic, 'nobody')
    await writer.append(topic, events('a', 1, 2))
    await one.saw('a1', 'a2')
    await writer.append(topic, events('a', 3, 4))
    await opened.cut()
    await expect.poll(() => one.heard.at(-1), { timeout: 20_000 }).toBe('away')
    const late = listen(topics, topic, 'a')
    await late.saw('away')
    await opened.mend()
    const again = await openAgain()
    await again.append(topic, events('a', 5, 6))
    await nobody.saw('away', 'back')
    await again.append(topic, events('a', 7, 8))
    await expect.poll(() => seen(one.heard)?.at(-1), { timeout: 30_000 }).toBe('a8')
    await again.close()
    const isNotice = (each: unknown) => each === 'away' || each === 'back'
    expect(seen(one.heard)?.filter((each) => !isNotice(each))).toEqual(
      events('a', 1, 8).map((_, index) => `a${index + 1}`),
    )
    expect(one.heard.filter(isNotice)).toEqual(['away', 'back'])
    const missed = await topics.replay(
      { topic, type: 'Move', key: 'a' },
      Object.fromEntries(Object.keys(topics.positions(topic)).map((partition) => [partition, '0'])),
      topics.positions(topic),
      100,
      forever,
    )
    expect(seen(missed)).toEqual(events('a', 1, 8).map((_, index) => `a${index + 1}`))
  }, 120_000)

  // A broker that starts takes a while.
  async function openAgain(): Promise<EventLog> {
    for (;;) {
      try {
        return await opened.open('writer')
      } catch (error) {
        if (!(error instanceof Error && error.name.startsWith('KafkaJS'))) throw error
      }
    }
  }
}
