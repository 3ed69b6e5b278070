import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { kafkaAvailable } from '@community/infra/embedded/kafka-jars.ts'
import { describe, expect, test } from 'vitest'
import { type Answer, watch } from '../../test/client.ts'
import { type BreakableLog, breakableKafka, breakablePostgres } from '../../test/eventlog.ts'
import { eventLink, startGraph, type TestSubgraph } from '../testing/graph.ts'

const topic = 'ossa.test.events.v1'
const kafka = await kafkaAvailable()

// Where tests decide over a change, Kafka is not optional: without it they fail.
describe.skipIf(kafka !== true && !readConfig().ci)('on Kafka', () => outageTests(breakableKafka))
describe('on Postgres', () => outageTests(breakablePostgres))

type Moved = { moved: { version: number } | null }
const streamOf = ({ extensions }: Answer) => extensions?.stream as { kind: string; cursor: string }

function outageTests(begin: () => Promise<BreakableLog>): void {
  test('subscribers are told that the log is away, and that it is back with all that came meanwhile', async () => {
    await using stack = new AsyncDisposableStack()
    const log = await begin()
    stack.defer(() => log.close())
    const [writer, reader] = [await log.open('writer'), await log.open('reader')]
    await writer.ensureTopics([topic])
    const keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
    stack.defer(() => rm(keysDir, { recursive: true, force: true }))
    let version = 0
    const moves: TestSubgraph = {
      typeDefs: `${eventLink}
        type Query { a: Int }
        type Subscription { moved(id: ID!, after: String): Move @event(topic: "${topic}", key: "{args.id}") }
        type Move @key(fields: "id") { id: ID! version: Int! }`,
      resolvers: { Move: { __resolveReference: ({ id }: { id: string }) => ({ id, version }) } },
    }
    const graph = await startGraph(
      { moves },
      { env: { KEYS_DIR: keysDir }, eventLog: reader, logLevel: 'silent' },
    )
    stack.use(graph)
    // As a relay does: again, until the log has it.
    const advance = async () => {
      const headers = { ce_type: 'ossa.test.Move', ce_aggregateversion: String(++version) }
      const event = { key: 'm', headers, value: JSON.stringify({ id: 'm', version }) }
      const append = () =>
        writer.append(topic, [event]).then(
          () => true,
          () => false,
        )
      await expect.poll(append, { timeout: 60_000, interval: 200 }).toBe(true)
    }
    const told = (results: Answer<Moved>[]) =>
      results.map((result) => `${streamOf(result).kind} ${result.data?.moved?.version}`)
    const document = 'subscription ($after: String) { moved(id: "m", after: $after) { version } }'

    await using live = watch<Moved>(graph.wsUrl, document)
    const first = await live.until(() => true, 10_000)
    await advance()
    await live.until(({ data }) => data?.moved?.version === 1, 10_000)
    await log.cut()
    await live.until((result) => streamOf(result).kind === 'PAUSED', 30_000)
    await using late = watch<Moved>(graph.wsUrl, document)
    await late.until((result) => streamOf(result).kind === 'PAUSED', 30_000)
    await log.mend()
    for (let n = 0; n < 3; n++) await advance()
    for (const each of [live, late]) {
      await each.until((result) => streamOf(result).kind === 'RESUMED', 60_000)
      await each.until(({ data }) => data?.moved?.version === 4, 30_000)
    }
    const states = /^(SNAPSHOT|DELTA) /
    expect(told(live.received).filter((each) => states.test(each))).toEqual([
      'SNAPSHOT 0',
      'DELTA 1',
      'DELTA 2',
      'DELTA 3',
      'DELTA 4',
    ])
    expect(told(late.received).filter((each) => states.test(each))).toEqual([
      'SNAPSHOT 1',
      'DELTA 2',
      'DELTA 3',
      'DELTA 4',
    ])
    for (const each of [live, late])
      expect(told(each.received).filter((result) => !states.test(result))).toHaveLength(2)
    await using resumed = watch<Moved>(graph.wsUrl, document, { after: streamOf(first).cursor })
    await resumed.until(({ data }) => data?.moved?.version === 4, 10_000)
    expect(told(resumed.received)).toEqual(['DELTA 1', 'DELTA 2', 'DELTA 3', 'DELTA 4'])
  })
}
