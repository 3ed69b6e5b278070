import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { type Config, readConfig } from '@community/infra/config.ts'
import type { EventLog, LogRecord } from '@community/infra/eventlog.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { serveSubgraph } from '@community/subgraphs/kit/serve.ts'
import type { Subgraph } from '@community/subgraphs/kit/subgraph.ts'
import type { Answer } from './client.ts'
import { testDatabase } from './database.ts'
import { eventually } from './eventually.ts'

/** Who asks; no organization: anonymous. */
export type Caller = { subject?: string; organization: string | null; scopes?: readonly string[] }

/** What the gateway that stands in tells of an agent. */
type GraphAgent = { id: string; organizationId: string; visibility: string } & Record<string, unknown>

/** Of a worker that counts, and nothing more. */
export const countingAgent = (id: string, organizationId: string, visibility = 'PUBLIC'): GraphAgent => ({
  id,
  organizationId,
  visibility,
  name: id,
  description: 'Counts what is there.',
  type: 'WORKER',
  subtype: 'worker.counting',
  status: 'ACTIVE',
  version: '1.0.0',
  updatedAt: new Date().toISOString(),
  pool: null,
  capabilities: [{ name: 'count' }],
})

export type TestSubgraph = AsyncDisposable & {
  config: Config
  databaseUrl: string
  internal: Keys
  eventLog: EventLog
  /** `agent(id)` of the graph answers with these, to those who may see them. */
  graphAgents: Map<string, GraphAgent>
  ask<T = Record<string, unknown>>(
    query: string,
    variables: Record<string, unknown>,
    caller: Caller,
  ): Promise<Answer<T> & { statements: number }>
  /** What the gateway asks a subgraph for entities; `selection` is that of `_entities`. */
  entities<T>(
    selection: string,
    representations: readonly object[],
    caller: Caller,
  ): Promise<{ entities: T[]; statements: number }>
  /** An event of another subgraph, as its relay would write it. */
  tell(topic: string, type: string, key: string, version: number, value: object): Promise<void>
  /** Values of the subgraph's own events so far, once there are `count` of them. */
  told(
    count: number,
  ): Promise<{ type: string; key: string; version: number; value: Record<string, unknown> }[]>
  /** Asks again until `fits`, for 10 s. */
  eventually<T>(ask: () => Promise<T>, fits: (value: T) => boolean): Promise<T>
}

/** A subgraph on a database of its own, the Postgres event log, and a graph that knows agents only; `env` is set beside. */
export async function testSubgraph(
  subgraph: Subgraph,
  topics: readonly string[],
  env: Record<string, string> = {},
): Promise<TestSubgraph> {
  const stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase())
  const folder = await mkdtemp(join(tmpdir(), 'subgraph-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const internal = await openKeys(folder, 'internal')
  const issuer = await openKeys(folder, 'issuer')
  const graphAgents = new Map<string, GraphAgent>()
  const graph = await serveGraph(graphAgents, issuer)
  stack.defer(() => graph.stop())
  const config = readConfig({
    DATABASE_URL: database.adminUrl,
    DATA_DIR: folder,
    KEYS_DIR: folder,
    KAFKA_PARTITIONS: '2',
    GATEWAY_URL: graph.url,
    AGENT_ENDPOINT_ALLOW: '127.0.0.0/8',
    // Without the embedding model, whatever this machine has.
    CACHE_DIR: folder,
    ...env,
  })
  const log = createLog('test', 'fatal')
  const eventLog = openPostgresEventLog({ url: database.adminUrl, partitions: 2, log })
  stack.defer(() => eventLog.close())
  await eventLog.ensureTopics(topics)
  const served = await serveSubgraph(subgraph, config, log, 0)
  stack.defer(() => served.stop())

  const records: LogRecord[] = []
  const own = subgraph.topics[0] ?? ''
  const tail = await eventLog.tail({ topics: [own], from: 'earliest' }, (read) => void records.push(...read))
  stack.defer(() => tail.stop())

  const ask = async <T>(
    query: string,
    variables: object,
    { subject, organization, scopes = [] }: Caller,
  ): Promise<Answer<T> & { statements: number }> => {
    const claims = organization === null ? {} : { org: organization, scope: scopes.join(' ') }
    const principal = await internal.sign(claims, {
      audience: 'subgraph',
      subject: subject ?? (organization === null ? 'anonymous' : `someone of ${organization}`),
      ttlSeconds: 30,
    })
    const response = await fetch(served.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-ossa-principal': principal },
      body: JSON.stringify({ query, variables }),
    })
    const statements = Number(response.headers.get('x-statements'))
    return { ...((await response.json()) as Answer<T>), statements }
  }

  return {
    config,
    databaseUrl: database.adminUrl,
    internal,
    eventLog,
    graphAgents,
    ask,
    async entities<T>(selection: string, representations: readonly object[], caller: Caller) {
      const query = `query ($representations: [_Any!]!) {
        entities: _entities(representations: $representations) { ${selection} } }`
      const { data, errors, statements } = await ask<{ entities: T[] }>(query, { representations }, caller)
      if (!data) throw new Error(JSON.stringify(errors))
      return { entities: data.entities, statements }
    },
    async tell(topic, type, key, version, value) {
      const headers = { ce_id: randomUUID(), ce_type: type, ce_aggregateversion: String(version) }
      await eventLog.append(topic, [{ key, headers, value: JSON.stringify(value) }])
    },
    told: async (count) =>
      (
        await eventually(
          async () => records,
          (seen) => seen.length >= count,
          soon,
        )
      ).map((record) => ({
        type: record.headers.ce_type ?? '',
        key: record.key,
        version: Number(record.headers.ce_aggregateversion),
        value: JSON.parse(record.value) as Record<string, unknown>,
      })),
    eventually: (look, fits) => eventually(look, fits, soon),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const soon = { withinMs: 10_000, everyMs: 20 }

async function serveGraph(agents: ReadonlyMap<string, GraphAgent>, issuer: Keys) {
  const answer = async (request: IncomingMessage) => {
    const { variables } = (await json(request)) as { variables: { id: string } }
    const token = request.headers.authorization?.slice('Bearer '.length)
    const claims = token === undefined ? null : await issuer.verify(token, { audience: 'community' })
    const agent = agents.get(variables.id)
    const own = agent?.organizationId === claims?.org
    const administrator = typeof claims?.scope === 'string' && claims.scope.split(' ').includes('org:admin')
    const visible =
      agent?.visibility === 'PUBLIC' || (own && (agent?.visibility !== 'PRIVATE' || administrator))
    return JSON.stringify({ data: { agent: (visible ? agent : null) ?? null } })
  }
  const server = createServer((request, response) => {
    answer(request).then(
      (text) => response.setHeader('content-type', 'application/json').end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
