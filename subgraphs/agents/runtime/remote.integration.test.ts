import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { testSubgraph } from '../../../test/subgraph.ts'
import { openOutbound } from '../../kit/outbound.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inboxTopics, topic } from '../events.ts'
import { subgraph } from '../index.ts'
import { probe } from './remote.ts'

const owner = { organization: 'ossa', scopes: ['agents:write', 'agents:deploy', 'org:admin'] }

/** Answers as an A2A agent does that does not know the task. */
async function agent(
  answer = { jsonrpc: '2.0', id: 1, error: { code: -32_001, message: 'no task' } },
  status = 200,
) {
  const asked: unknown[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      asked.push(JSON.parse(body))
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('an agent that runs elsewhere is looked at where it lives', async () => {
  await using graph = await testSubgraph(subgraph, [topic, ...inboxTopics])
  const health = async () => {
    const { data } = await graph.ask<{ agent: { health: string } }>(
      '{ agent(id: "far") { health } }',
      {},
      owner,
    )
    return data?.agent.health
  }
  {
    await using remote = await agent()
    const source = stringify({
      apiVersion: 'ossa/v0.4.6',
      kind: 'Agent',
      metadata: { name: 'far', version: '1.0.0', description: 'Far away.' },
      spec: { endpoint: remote.url },
    })
    await graph.ask(
      'mutation ($source: String!) { registerAgent(source: $source) { id } }',
      { source },
      owner,
    )
    expect(await health()).toBe('UNKNOWN')
    await graph.ask('mutation { deployAgent(agentId: "far") { id } }', {}, owner)
    expect(await graph.eventually(health, (found) => found === 'HEALTHY')).toBe('HEALTHY')
    expect(remote.asked[0]).toMatchObject({ jsonrpc: '2.0', method: 'GetTask' })
  }
  const pool = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test' })
  await inTransaction(pool, internalSettings, (tx) =>
    tx.query(`update heartbeat set at = at - interval '31 seconds'`),
  )
  await pool.end()
  expect(await health()).toBe('UNHEALTHY')
})

test('who speaks JSON-RPC lives, and who asks for a token; others do not', async () => {
  await using graph = await testSubgraph(subgraph, [topic, ...inboxTopics])
  const looked = (url: string, allow = ['127.0.0.0/8']) =>
    probe(url, { agentId: 'far', outbound: openOutbound({ allow, trusted: [] }), keys: graph.internal })
  await using living = await agent()
  await using closed = await agent({} as never, 401)
  await using other = await agent({} as never)
  expect(await looked(living.url)).toBeNull()
  expect(await looked(closed.url)).toBeNull()
  expect(await looked(other.url)).toBe('HTTP 200, not a JSON-RPC answer')
  expect(await looked('http://127.0.0.1:9/a2a')).toContain('ECONNREFUSED')
  expect(await looked(living.url, [])).toContain('is not a public address')
})
