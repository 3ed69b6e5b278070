import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { sharedData, withoutSharedData } from '../../test/shared-data.ts'
import { type Caller, type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { inboxTopics, topic } from './events.ts'
import { subgraph } from './index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const owner: Caller = { organization: 'ossa', scopes: ['agents:write', 'agents:deploy', 'org:admin'] }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, [topic, ...inboxTopics]))
})
afterAll(() => stack.disposeAsync())

type Imported = {
  importAgents: {
    index: number
    error: string | null
    agent: {
      id: string
      status: string
      notInvocable: string | null
      reading: { format: string; isWhole: boolean; notUnderstood: string[]; source: string }
      capabilities: { name: string; input: unknown }[]
    } | null
  }[]
}

const importing = (source: string, caller = owner) =>
  graph.ask<Imported>(
    `mutation ($source: String!) { importAgents(source: $source) { index error agent {
      id status notInvocable reading { format isWhole notUnderstood source } capabilities { name input } } } }`,
    { source },
    caller,
  )

const foreign = (name: string, spec = 'role: Works.') =>
  `apiVersion: ossa/v0.4.6\nkind: Agent\nmetadata: { name: ${name}, version: 1.0.0, description: Works. }\nspec:\n  ${spec}\n`

test('of several documents each is imported apart, kept as it came, and says why it can’t be invoked', async () => {
  const source = [
    foreign('one', 'role: Works.\n  horoscope: libra'),
    foreign('two').replace('kind: Agent', 'kind: Agent # of two'),
    'nothing: of the kind\n',
    foreign('hostile', 'endpoint: http://169.254.169.254/a2a'),
  ].join('---\n')
  const { data } = await importing(source)
  expect(data?.importAgents).toEqual([
    {
      index: 0,
      error: null,
      agent: {
        id: 'one',
        status: 'REGISTERED',
        notInvocable: 'its manifest names neither a pool nor an endpoint at which it speaks A2A',
        reading: {
          format: 'ossa/v0.4.6',
          isWhole: false,
          notUnderstood: ['/spec/horoscope'],
          source: expect.stringContaining('horoscope: libra'),
        },
        capabilities: [],
      },
    },
    {
      index: 1,
      error: null,
      agent: expect.objectContaining({
        id: 'two',
        reading: {
          format: 'ossa/v0.4.6',
          isWhole: true,
          notUnderstood: [],
          source: expect.stringContaining('# of two'),
        },
      }),
    },
    { index: 2, error: expect.stringContaining('/apiVersion'), agent: null },
    { index: 3, error: expect.stringContaining('169.254.169.254'), agent: null },
  ])
  const again = await importing(source)
  expect(again.data).toEqual(data)
})

test('who imports says who may see what is imported, and no more than it may make', async () => {
  const importFor = (name: string, visibility: string, caller = owner) =>
    graph.ask<{ importAgents: { error: string | null; agent: { visibility: string } | null }[] }>(
      `mutation ($source: String!, $visibility: Visibility!) {
        importAgents(source: $source, visibility: $visibility) { error agent { visibility } } }`,
      { source: foreign(name), visibility },
      caller,
    )
  expect((await importFor('shown', 'PUBLIC')).data?.importAgents).toEqual([
    { error: null, agent: { visibility: 'PUBLIC' } },
  ])
  const member = { ...owner, scopes: ['agents:write'] }
  expect((await importFor('hidden', 'PRIVATE', member)).data?.importAgents).toEqual([
    { error: expect.stringContaining('org:admin'), agent: null },
  ])
})

test('an endpoint whose host is known only where it comes from is none here', async () => {
  const { data } = await importing(foreign('far', 'endpoint: http://nowhere.invalid/a2a'))
  expect(data?.importAgents).toMatchObject([
    { error: null, agent: { id: 'far', notInvocable: expect.any(String) } },
  ])
})

test('one with an endpoint is placed and can be invoked', async () => {
  await importing(foreign('near', 'endpoint: http://127.0.0.1:9/a2a'))
  const query = '{ agent(id: "near") { endpoint notInvocable } }'
  expect((await graph.ask(query, {}, owner)).data).toEqual({
    agent: { endpoint: null, notInvocable: 'nothing runs yet: deployAgent places it' },
  })
  await graph.ask('mutation { deployAgent(agentId: "near") { id } }', {}, owner)
  expect((await graph.ask(query, {}, owner)).data).toEqual({
    agent: { endpoint: 'http://127.0.0.1:9/a2a', notInvocable: null },
  })
})

test('who may not register may not import', async () => {
  const { errors } = await importing(foreign('three'), { organization: 'ossa' })
  expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
})

test('an MCP server is asked for its tools', async () => {
  await using server = await serving((request, response) => {
    const mcp = new McpServer(
      { name: 'Weather Server', version: '3.1.0' },
      { instructions: 'Tells the weather.' },
    )
    mcp.registerTool(
      'forecast',
      { description: 'Forecasts a day.', inputSchema: { day: z.string() } },
      () => ({ content: [] }),
    )
    const transport = new StreamableHTTPServerTransport({
      enableJsonResponse: true,
    })
    void mcp.connect(transport).then(() => transport.handleRequest(request, response))
  })
  const { data } = await importing(`${server.url}/mcp`)
  expect(data?.importAgents).toMatchObject([
    {
      error: null,
      agent: {
        id: 'weather-server',
        notInvocable: expect.stringContaining('MCP'),
        reading: { format: 'mcp/tools', isWhole: true },
        capabilities: [{ name: 'forecast', input: { properties: { day: { type: 'string' } } } }],
      },
    },
  ])
})

test('an agent card is fetched from its address', async () => {
  await using server = await serving((_request, response) => {
    const card = {
      name: 'Cook',
      description: 'Cooks.',
      version: '1.0.0',
      supportedInterfaces: [{ url: `${server.url}/rpc`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
      capabilities: {},
      defaultInputModes: ['text'],
      defaultOutputModes: ['text'],
      skills: [{ id: 'cook', name: 'Cook', description: 'Cooks.', tags: [] }],
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(card))
  })
  const { data } = await importing(`${server.url}/.well-known/agent-card.json`)
  expect(data?.importAgents).toMatchObject([
    { error: null, agent: { id: 'cook', reading: { format: 'a2a/1.0' }, capabilities: [{ name: 'cook' }] } },
  ])
})

test('an address that leads to nothing, away, or into the own network is refused in words', async () => {
  await using silent = await serving((_request, response) => void response.writeHead(404).end())
  await using redirecting = await serving(
    (_request, response) => void response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
  )
  await using endless = await serving((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(64 * 1024)));
    }
    response.on('drain', more).on('error', () => undefined)
    more()
  })
  for (const { url } of [silent, redirecting, endless])
    expect((await importing(url)).errors).toMatchObject([{ extensions: { code: 'UNAVAILABLE' } }])
  expect((await importing('http://169.254.169.254/card.json')).errors).toMatchObject([
    { message: expect.stringContaining('169.254.169.254'), extensions: { code: 'BAD_USER_INPUT' } },
  ])
})

describe.skipIf(withoutSharedData)(withoutSharedData ?? 'real documents', () => {
  // Some have a name and a version that another has: each file is of an organization of its own.
  test('all are imported, but for seven that are empty', async () => {
    const folder = sharedData('ossa-manifests')
    const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
    const imported = []
    for (const [index, path] of [
      ...files.map((file) => join(folder, file)),
      sharedData('mcp-servers.json'),
    ].entries()) {
      const { data } = await importing(readFileSync(path, 'utf8'), {
        ...owner,
        organization: `real-${index}`,
      })
      imported.push(...(data?.importAgents ?? []))
    }
    expect(imported).toHaveLength(71 + 471)
    const errors = imported.flatMap(({ error }) => error ?? [])
    expect(errors).toHaveLength(7)
    for (const error of errors) expect(error).toMatch(/\/name \(line \d+\): expected a name/)
    for (const { agent } of imported)
      if (agent) expect(agent).toMatchObject({ status: 'REGISTERED', notInvocable: expect.any(String) })
  })
})

async function serving(answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
