import pg from 'pg'
import type { Fault, Injected } from '../fault.ts'
import { pooled } from '../fleet.ts'
import type { Stage } from '../stage.ts'

/** Somebody holds the relay's lock and relays nothing: changes are made, and nobody hears of them. */
export const relayStalled: Fault = {
  kind: 'event relay stalled',
  unknown: true,
  withinMs: 10_000,
  reach: 'all',
  async inject(stage, random, name): Promise<Injected> {
    const pool = random.one(Object.keys(stage.world.community.poolUrls))
    const holder = await session(stage)
    const key = `hashtextextended('agents relay', 0)`
    // In line before the one that holds it is gone.
    const locked = holder.query(`select pg_advisory_lock(${key})`)
    await stage.database.query(
      `select pg_terminate_backend(pid) from pg_locks
       where locktype = 'advisory' and granted and (classid::bigint << 32 | objid::bigint) = ${key}`,
    )
    await locked
    const timer = setTimeout(() => void holder.end(), random.whole(16_000, 22_000))
    let version = 0
    return {
      what: 'another session has the lock of the relay of agents',
      hits: ['agents', 'relay', 'outbox', 'eventlog'],
      async objective() {
        await stage.register(pooled(name, pool, `1.0.${version++}`))
        const { rows } = await stage.database.query<{ ms: number | null }>(
          `select (extract(epoch from clock_timestamp() - min(created_at)) * 1000)::int as ms from agents.outbox`,
        )
        const ms = rows[0]?.ms ?? 0
        return { held: ms < 2_000, seen: `the oldest event waits for ${ms} ms` }
      },
      wholeAgainMs: 0,
      async end() {
        clearTimeout(timer)
        await holder.end()
      },
    }
  },
}

/** A table that every read of an agent needs is locked by a transaction that does not end. */
export const tableLocked: Fault = {
  kind: 'table locked',
  unknown: true,
  withinMs: 10_000,
  reach: 'all',
  async inject(stage, random): Promise<Injected> {
    const holder = await session(stage)
    await holder.query('begin')
    await holder.query('lock table agents.capability in access exclusive mode')
    const timer = setTimeout(() => void holder.end(), random.whole(16_000, 22_000))
    const agent = random.one(stage.agents)
    return {
      what: 'agents.capability, in access exclusive mode',
      hits: ['agents', 'capability', 'postgres'],
      async objective() {
        const { state, ms, why } = await stage.call(agent, { withinMs: 2_000 })
        return { held: state === 'OK', seen: `${state} ${ms} ms ${why}` }
      },
      wholeAgainMs: 0,
      async end() {
        clearTimeout(timer)
        await holder.end()
      },
    }
  },
}

const topic = 'ossa.federation.events.v1'

/** Records that nobody can read are on a topic, and what comes after them waits. */
export const unreadableRecords: Fault = {
  kind: 'unreadable records',
  unknown: true,
  withinMs: 10_000,
  reach: 'all',
  async inject(stage, random, name): Promise<Injected> {
    const count = random.whole(30, 40)
    const event = (number: number) => ({
      key: name,
      headers: {
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_id: `${name}-${number}`,
        ce_source: '/subgraphs/federation',
        ce_type: 'ossa.federation.OrganizationChange',
        ce_time: new Date().toISOString(),
        ce_subject: name,
        ce_aggregateversion: `${number}`,
      },
      value: '{"__typename":"OrganizationChange",',
    })
    await stage.eventLog.append(
      topic,
      Array.from({ length: count }, (_, number) => event(number)),
    )
    return {
      what: `${count} on ${topic}`,
      hits: [topic, 'agents', 'inbox', 'eventlog'],
      async objective() {
        const behind = await recordsBehind(stage)
        return { held: behind === 0, seen: `the inbox of agents is ${behind} records behind` }
      },
      wholeAgainMs: 0,
      end: async () => undefined,
    }
  },
}

async function recordsBehind(stage: Stage): Promise<number> {
  const ends = (await stage.eventLog.ends([topic]))[topic] ?? {}
  const { rows } = await stage.database.query<{ partition: number; next: string }>(
    'select partition, next_offset as next from agents.inbox_position where topic = $1',
    [topic],
  )
  const next = new Map(rows.map((row) => [`${row.partition}`, BigInt(row.next)]))
  return Object.entries(ends).reduce((sum, [partition, end]) => {
    const at = next.get(partition)
    return sum + Number(BigInt(end) - (at ?? 0n))
  }, 0)
}

async function session(stage: Stage): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: stage.world.community.adminUrl })
  client.on('error', () => undefined)
  await client.connect()
  return client
}
