import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { startKafka } from '@community/infra/embedded/kafka.ts'
import { kafkaAvailable } from '@community/infra/embedded/kafka-jars.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import { openKafkaEventLog } from '@community/infra/eventlog-kafka.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Answer, watch } from '../../test/client.ts'
import { testDatabase } from '../../test/database.ts'
import { eventLink, startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

const topic = 'ossa.test.events.v1'

type Plan = { id: string; version: number; status: string; done: number; owner: string | null }
const plans = new Map<string, Plan>()
let planCount = 0

/** What happens while a snapshot is read. */
let beforeSnapshot: (planId: string) => Promise<void> = () => Promise.resolve()
/** Versions before it are not for those who follow. */
const keptBefore = new Map<string, number>()
let beforeName: () => Promise<void> = () => Promise.resolve()

const plansSubgraph: TestSubgraph = {
  typeDefs: `${eventLink}
    type Query { plan(id: ID!): Plan }
    type Subscription {
      moved(planId: ID!, after: String): Move @event(topic: "${topic}", key: "{args.planId}")
      moves(transitions: [String!], after: String): Move
        @event(topic: "${topic}", where: ["transition: {args.transitions}"])
    }
    type Move @key(fields: "planId") @key(fields: "planId version") { planId: ID! plan: Plan! step: Step transition: String version: Int! }
    type Plan @key(fields: "id") { id: ID! name(loud: Boolean): String! status: String! progress: Progress! secret: String }
    type Progress { done: Int! total: Int! }
    type Step { id: ID! agent: Agent note: String! }
    type Agent @key(fields: "id", resolvable: false) { id: ID! }`,
  resolvers: {
    Query: { plan: (_: unknown, { id }: { id: string }) => plans.get(id) },
    Move: {
      async __resolveReference({ planId, version = Infinity }: { planId: string; version?: number }) {
        if (version < (keptBefore.get(planId) ?? 0)) return null
        await beforeSnapshot(planId)
        const plan = plans.get(planId)
        return plan && { planId, plan, version: plan.version }
      },
    },
    Plan: {
      __resolveReference: ({ id }: { id: string }) => plans.get(id),
      async name({ id }: Plan, { loud }: { loud?: boolean }) {
        await beforeName()
        return loud ? `PLAN ${id}` : `plan ${id}`
      },
      progress: ({ done }: Plan) => ({ done, total: 100 }),
      secret: () => {
        throw new Error('secrets are broken')
      },
    },
  },
}
const agentsSubgraph: TestSubgraph = {
  typeDefs: 'type Query { a: Int } type Agent @key(fields: "id") { id: ID! name: String }',
  resolvers: {
    Agent: { __resolveReference: (agent: object) => agent, name: ({ id }: { id: string }) => `agent ${id}` },
  },
}

type Moved = { moved: { version: number } & Record<string, unknown> }
const streamOf = (result: Answer) =>
  result.extensions?.stream as { kind: string; cursor: string; version: number }
const versions = (results: Answer<Moved>[]) => results.map((result) => result.data?.moved.version)
const fields = '{ version transition plan { id status progress { done } } step { id agent { id name } } }'
const moved = (id: string) => `subscription { moved(planId: "${id}") ${fields} }`
const resumed = `subscription ($id: ID!, $after: String) { moved(planId: $id, after: $after) ${fields} }`

function newPlan(): string {
  const id = `p${++planCount}`
  plans.set(id, { id, version: 0, status: 'RUNNING', done: 0, owner: null })
  return id
}

const event = (key: string, version: number, value: unknown, type = 'Move') => ({
  key,
  headers: { ce_type: `ossa.test.${type}`, ce_aggregateversion: String(version) },
  value: JSON.stringify(value),
})

type Opened = { eventLog: EventLog; close(): Promise<void> }

const log = createLog('test', 'error')
const config = readConfig()
const partitions = 3

async function onPostgres(): Promise<Opened> {
  const database = await testDatabase()
  const eventLog = openPostgresEventLog({ url: database.url('eventlog'), partitions, log })
  return { eventLog, close: () => database[Symbol.asyncDispose]() }
}

async function onKafka(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-kafka-'))
  const kafka = await startKafka({ folder, cacheFolder: config.cacheDir, log })
  const eventLog = await openKafkaEventLog({ brokers: kafka.brokers, partitions, replication: 1, log })
  return {
    eventLog,
    async close() {
      await kafka.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const kafka = await kafkaAvailable()

// Where tests decide over a change, Kafka is not optional: without it they fail.
describe.skipIf(kafka !== true && !config.ci)('on Kafka', () => subscriptionTests(onKafka))
describe('on Postgres', () => subscriptionTests(onPostgres))

function subscriptionTests(begin: () => Promise<Opened>): void {
  let opened: Opened
  let eventLog: EventLog
  let keysDir: string
  let graph: TestGraph

  beforeAll(async () => {
    opened = await begin()
    eventLog = opened.eventLog
    keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
    graph = await startGraph(
      { plans: plansSubgraph, agents: agentsSubgraph },
      { env: { KEYS_DIR: keysDir }, eventLog },
    )
  }, 120_000)

  afterAll(async () => {
    await graph?.[Symbol.asyncDispose]()
    await eventLog?.close()
    await opened?.close()
    await rm(keysDir, { recursive: true, force: true })
  })

  /** The change, and the events that a relay would append for it, in their order. */
  async function advance(id: string, times = 1): Promise<void> {
    const plan = plans.get(id)!
    const events = Array.from({ length: times }, () => {
      plan.version++
      plan.done++
      return event(id, plan.version, {
        planId: id,
        transition: `T${plan.version}`,
        version: plan.version,
        plan: { __typename: 'Plan', id, progress: { done: plan.done } },
        step: { id: `s${plan.version}`, agent: { __typename: 'Agent', id: `a${plan.version}` } },
      })
    })
    await eventLog.append(topic, events)
  }

  test('a snapshot, then every event once and in order, completed by federation', async () => {
    const id = newPlan()
    await advance(id, 2)
    await using live = watch<Moved>(graph.wsUrl, moved(id))
    await live.until((result) => streamOf(result).kind === 'SNAPSHOT', 5_000)
    await advance(id)
    await eventLog.append(topic, [event(id, 4, { status: 'other type' }, 'Other')])
    await eventLog.append(topic, [event('another', 9, { version: 9 })])
    await eventLog.append(topic, [{ ...event(id, 3, {}), value: 'not JSON' }, event(id, 3, { version: 3 })])
    await advance(id)
    await live.until((result) => result.data?.moved.version === 4, 5_000)
    expect(live.received.map(({ data, errors }) => ({ data, errors }))).toEqual([
      {
        data: {
          moved: {
            version: 2,
            transition: null,
            plan: { id, status: 'RUNNING', progress: { done: 2 } },
            step: null,
          },
        },
        errors: undefined,
      },
      ...[3, 4].map((version) => ({
        data: {
          moved: {
            version,
            transition: `T${version}`,
            plan: { id, status: 'RUNNING', progress: { done: version } },
            step: { id: `s${version}`, agent: { id: `a${version}`, name: `agent a${version}` } },
          },
        },
        errors: undefined,
      })),
    ])
    expect(live.received.map((result) => streamOf(result).kind)).toEqual(['SNAPSHOT', 'DELTA', 'DELTA'])
    expect(live.received.map((result) => streamOf(result).version)).toEqual([2, 3, 4])
  })

  test('a subscription goes on when another supergraph is served', async () => {
    const subgraphs = { plans: plansSubgraph, agents: agentsSubgraph }
    await using own = await startGraph(subgraphs, { env: { KEYS_DIR: keysDir }, eventLog })
    const id = newPlan()
    await using live = watch<Moved>(own.wsUrl, moved(id))
    await live.until(() => true, 5_000)
    const typeDefs = `${agentsSubgraph.typeDefs} type Extra { a: Int }`
    const changed = {
      ...subgraphs,
      agents: { ...agentsSubgraph, typeDefs: `${typeDefs} extend type Query { e: Extra }` },
    }
    expect(await own.reload(own.sdlOf(changed))).toBe('swapped')
    await using later = watch<Moved>(own.wsUrl, moved(id))
    await later.until(() => true, 5_000)
    // Longer than what was replaced is kept for what was about to begin.
    await new Promise((passed) => setTimeout(passed, 1_500))
    await advance(id, 2)
    for (const each of [live, later]) {
      await each.until((result) => result.data?.moved.version === 2, 5_000)
      expect(versions(each.received)).toEqual([0, 1, 2])
      expect(each.received.at(-1)).toMatchObject({
        data: { moved: { step: { agent: { name: 'agent a2' } } } },
      })
    }
  })

  test('an event that the snapshot has already is not sent again', async () => {
    const id = newPlan()
    await using other = watch<Moved>(graph.wsUrl, moved(id))
    await other.until(() => true, 5_000)
    beforeSnapshot = async () => {
      await advance(id, 3)
      await other.until((result) => result.data?.moved.version === 3, 5_000)
    }
    await using live = watch<Moved>(graph.wsUrl, moved(id))
    await live.until(() => true, 5_000)
    beforeSnapshot = () => Promise.resolve()
    await advance(id)
    for (const each of [live, other]) await each.until((result) => result.data?.moved.version === 4, 5_000)
    expect(versions(live.received)).toEqual([3, 4])
    expect(versions(other.received)).toEqual([0, 1, 2, 3, 4])
  })

  test('what an event says is not asked for again; what it lacks is asked of its entity', async () => {
    const id = newPlan()
    const query = (selection: string) => `subscription { m: moved(planId: "${id}") { version ${selection} } }`
    await using frugal = watch(graph.wsUrl, query('transition p: plan { i: id }'))
    await using hungry = watch(graph.wsUrl, query('plan { name(loud: true) progress { done total } }'))
    await Promise.all([frugal, hungry].map((live) => live.until(() => true, 5_000)))
    graph.fetched.length = 0
    await advance(id)
    await Promise.all(
      [frugal, hungry].map((live) => live.until((result) => streamOf(result).version === 1, 5_000)),
    )
    expect(frugal.received[1]?.data).toEqual({ m: { version: 1, transition: 'T1', p: { i: id } } })
    expect(hungry.received[1]?.data).toEqual({
      m: { version: 1, plan: { name: `PLAN ${id}`, progress: { done: 1, total: 100 } } },
    })
    expect(
      graph.fetched.map(
        ({ query: text }) =>
          text.replaceAll(/\s+/g, ' ').split('_entities(representations:$representations)')[1],
      ),
    ).toEqual(['{... on Plan { name(loud: true) progress { total } }}}'])
  })

  test('what neither the event nor an entity around it has is null, or an error', async () => {
    const id = newPlan()
    await using live = watch(
      graph.wsUrl,
      `subscription { moved(planId: "${id}") { version step { id note } } }`,
    )
    await live.until(() => true, 5_000)
    await advance(id)
    expect(await live.until((result) => streamOf(result).version === 1, 5_000)).toMatchObject({
      data: { moved: { version: 1, step: null } },
      errors: [{ path: ['moved', 'step', 'note'] }],
    })
  })

  test('a field that fails in a delta is null with its error', async () => {
    const id = newPlan()
    await using live = watch(
      graph.wsUrl,
      `subscription { moved(planId: "${id}") { version plan { id secret } } }`,
    )
    await live.until(() => true, 5_000)
    await advance(id)
    const delta = await live.until((result) => streamOf(result).version === 1, 5_000)
    expect(delta).toMatchObject({
      data: { moved: { version: 1, plan: { id, secret: null } } },
      errors: [{ message: 'secrets are broken', path: ['moved', 'plan', 'secret'] }],
    })
  })

  test('a cursor goes on exactly after it, on another gateway too', async () => {
    const id = newPlan()
    await advance(id, 3)
    await using first = watch<Moved>(graph.wsUrl, moved(id))
    const snapshot = await first.until(() => true, 5_000)
    await advance(id, 20)
    const middle = await first.until((result) => result.data?.moved.version === 10, 5_000)
    await first.until((result) => result.data?.moved.version === 23, 5_000)

    await using elsewhere = await startGraph(
      { plans: plansSubgraph, agents: agentsSubgraph },
      { env: { KEYS_DIR: keysDir }, eventLog },
    )
    const resume = (wsUrl: string, from: Answer) =>
      watch<Moved>(wsUrl, resumed, { id, after: streamOf(from).cursor })
    await using here = resume(graph.wsUrl, middle)
    await using there = resume(elsewhere.wsUrl, snapshot)
    await Promise.all(
      [here, there].map((live) => live.until((result) => result.data?.moved.version === 23, 5_000)),
    )
    await advance(id, 2)
    await Promise.all(
      [first, here, there].map((live) => live.until((result) => result.data?.moved.version === 25, 5_000)),
    )
    expect(versions(here.received)).toEqual(Array.from({ length: 15 }, (_, index) => 11 + index))
    expect(versions(there.received)).toEqual(Array.from({ length: 22 }, (_, index) => 4 + index))
    const data = (results: Answer<Moved>[]) => results.map((result) => result.data)
    expect(data(here.received)).toEqual(data(first.received.slice(-15)))
    expect(data(there.received)).toEqual(data(first.received.slice(-22)))
  })

  test('a cursor that is forged, or of another operation, is refused in words', async () => {
    const id = newPlan()
    await using live = watch(graph.wsUrl, moved(id))
    const { cursor } = streamOf(await live.until(() => true, 5_000))
    const internal = await openKeys(keysDir, 'internal')
    const forged = await internal.sign(
      { topic, positions: {}, version: 0, operation: 'x' },
      { audience: 'cursor', ttlSeconds: 60 },
    )
    const refusals = await Promise.all(
      [
        { id, after: 'nonsense' },
        { id, after: forged },
        { id: newPlan(), after: cursor },
      ].map(async (variables) => {
        await using refused = watch(graph.wsUrl, resumed, variables)
        const result = await refused.until(() => true, 5_000)
        await refused.done
        return result
      }),
    )
    for (const result of refusals)
      expect(result).toEqual({
        errors: [
          expect.objectContaining({
            message: expect.stringMatching(/^argument after: is (no cursor|the cursor of another)/),
            extensions: expect.objectContaining({ code: 'BAD_USER_INPUT', argument: 'after' }),
          }),
        ],
      })
  })

  test('what the log has lost since the cursor becomes a new snapshot', async () => {
    const id = newPlan()
    await using live = watch<Moved>(graph.wsUrl, moved(id))
    const first = await live.until(() => true, 5_000)
    const plan = plans.get(id)!
    plan.version = 5
    await advance(id)
    await live.until((result) => result.data?.moved.version === 6, 5_000)
    await using later = watch<Moved>(graph.wsUrl, resumed, { id, after: streamOf(first).cursor })
    const again = await later.until(() => true, 5_000)
    expect(streamOf(again)).toMatchObject({ kind: 'RESYNC', version: 6 })
    await advance(id)
    await later.until((result) => result.data?.moved.version === 7, 5_000)
    expect(versions(later.received)).toEqual([6, 7])
  })

  test('a subscriber too slow for its buffer gets a new snapshot and goes on', async () => {
    const id = newPlan()
    await using live = watch<Moved>(graph.wsUrl, moved(id))
    await live.until(() => true, 5_000)
    await advance(id, 3_000)
    await live.until((result) => result.data?.moved.version === 3_000, 30_000)
    const kinds = live.received.map((result) => streamOf(result).kind)
    expect(kinds).toContain('RESYNC')
    const seen = versions(live.received) as number[]
    expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b))
    await advance(id)
    await live.until((result) => result.data?.moved.version === 3_001, 5_000)
  })

  test('a feed: every event that matches and may be seen, and after a cursor what was missed, each once', async () => {
    const [one, two, hidden] = [newPlan(), newPlan(), newPlan()]
    const feed = `subscription ($after: String) {
      moves(transitions: ["T1", "T3"], after: $after) { planId version plan { name } }
    }`
    await using first = watch<{ moves: { planId: string; version: number } | null }>(graph.wsUrl, feed)
    const opening = await first.until(() => true, 5_000)
    expect(opening).toMatchObject({
      data: { moves: null },
      extensions: { stream: { kind: 'SNAPSHOT', version: null } },
    })
    // Of nobody knows whom, and of one that is not to be seen.
    await eventLog.append(topic, [event('none', 1, { version: 1, transition: 'T1' })])
    plans.delete(hidden)
    await eventLog.append(topic, [
      event(hidden, 1, { planId: hidden, version: 1, transition: 'T1', plan: { id: hidden } }),
    ])
    await advance(one, 3)
    await advance(two)
    const told = (results: Answer<{ moves: { planId: string; version: number } | null }>[]) =>
      results
        .flatMap(({ data }) => (data?.moves ? [`${data.moves.planId} ${data.moves.version}`] : []))
        .toSorted()
    const expected = [`${one} 1`, `${one} 3`, `${two} 1`]
    await expect.poll(() => told(first.received), { timeout: 10_000 }).toEqual(expected)
    expect(first.received.at(-1)?.data?.moves).toMatchObject({
      plan: { name: expect.stringMatching(/^plan p/) },
    })

    await using elsewhere = await startGraph(
      { plans: plansSubgraph, agents: agentsSubgraph },
      { env: { KEYS_DIR: keysDir }, eventLog },
    )
    for (const [at, { extensions }] of first.received.entries()) {
      const { cursor } = streamOf({ extensions } as Answer)
      await using again = watch<{ moves: { planId: string; version: number } | null }>(
        elsewhere.wsUrl,
        feed,
        { after: cursor },
      )
      await expect
        .poll(() => told(again.received), { timeout: 10_000 })
        .toEqual(told(first.received.slice(at + 1)))
    }
  })

  test('a feed tells nothing of a version that its subgraph keeps to itself, though the entity may be seen', async () => {
    const [kept, open] = [newPlan(), newPlan()]
    keptBefore.set(kept, 3)
    await using feed = watch<{ moves: { planId: string; version: number } | null }>(
      graph.wsUrl,
      'subscription { moves { planId version plan { name } } }',
    )
    await feed.until(() => true, 5_000)
    await advance(kept, 3)
    await advance(open)
    const told = () =>
      feed.received.flatMap(({ data }) => (data?.moves ? [`${data.moves.planId} ${data.moves.version}`] : []))
    await expect
      .poll(() => told().toSorted(), { timeout: 10_000 })
      .toEqual([`${kept} 3`, `${open} 1`].toSorted())
  })

  test('there is nothing to follow: one result says so, then the stream ends', async () => {
    {
      await using live = watch(graph.wsUrl, resumed, { id: 'none' })
      await live.done
      expect(live.received).toEqual([
        {
          data: { moved: null },
          errors: [
            {
              message: 'there is no Move none, or it is not visible to you',
              path: ['moved'],
              extensions: { code: 'NOT_FOUND' },
            },
          ],
        },
      ])
    }
  })

  test('a gateway without an event log says so', async () => {
    await using bare = await startGraph({ plans: plansSubgraph, agents: agentsSubgraph })
    await using live = watch(bare.wsUrl, moved('x'))
    await live.done
    expect(live.received).toMatchObject([{ errors: [{ extensions: { code: 'NO_EVENT_LOG' } }] }])
  })

  test('nothing follows a complete that comes while a result is being made', async () => {
    const id = newPlan()
    const socket = new WebSocket(graph.wsUrl, 'graphql-transport-ws')
    const received: { type: string; id?: string }[] = []
    socket.on('message', (text: Buffer) => received.push(JSON.parse(text.toString()) as { type: string }))
    await once(socket, 'open')
    const send = (message: object) => socket.send(JSON.stringify(message))
    send({ type: 'connection_init' })
    await expect.poll(() => received.length).toBe(1)
    send({
      id: 's',
      type: 'subscribe',
      payload: { query: `subscription { moved(planId: "${id}") { plan { name } } }` },
    })
    await expect.poll(() => received.length).toBe(2)
    const asked = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    beforeName = () => {
      asked.resolve()
      return goOn.promise
    }
    await advance(id)
    await asked.promise
    beforeName = () => Promise.resolve()
    send({ id: 's', type: 'complete' })
    send({ id: 'q', type: 'subscribe', payload: { query: `{ plan(id: "${id}") { status } }` } })
    await expect.poll(() => received.length).toBeGreaterThanOrEqual(4)
    goOn.resolve()
    await advance(id)
    send({ id: 'r', type: 'subscribe', payload: { query: `{ plan(id: "${id}") { name } }` } })
    await expect.poll(() => received.length).toBeGreaterThanOrEqual(6)
    expect(received.map((message) => [message.type, message.id])).toEqual([
      ['connection_ack', undefined],
      ['next', 's'],
      ['next', 'q'],
      ['complete', 'q'],
      ['next', 'r'],
      ['complete', 'r'],
    ])
    socket.terminate()
  })

  test('a client that leaves takes its listener with it', async () => {
    const id = newPlan()
    const subscriptions = async () =>
      /^gateway_subscriptions (\d+)$/m.exec(
        await (await fetch(graph.url.replace('/graphql', '/metrics'))).text(),
      )?.[1]
    const before = await subscriptions()
    {
      await using live = watch(graph.wsUrl, moved(id))
      await live.until(() => true, 5_000)
      expect(Number(await subscriptions())).toBe(Number(before) + 1)
    }
    await expect.poll(subscriptions).toBe(before)
  })
}
