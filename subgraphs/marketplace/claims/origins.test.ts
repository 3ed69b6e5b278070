import { expect, test } from 'vitest'
import { originsOf } from './origins.ts'

test('a server of the MCP registry comes from its namespace, its endpoints and its website, not from its repository', () => {
  const server = {
    name: 'com.example.team/search',
    repository: { url: 'https://github.com/example/search', source: 'github' },
    websiteUrl: 'https://search.example.com/docs',
    remotes: [{ type: 'sse', url: 'https://mcp.example.com/sse' }, { type: 'stdio' }, null],
  }
  expect(originsOf('mcp/server.json', server, null)).toEqual([
    { source: 'ENDPOINT', host: 'mcp.example.com' },
    { source: 'NAMESPACE', host: 'team.example.com' },
    { source: 'WEBSITE', host: 'search.example.com' },
  ])
  // In another format a name is a name.
  expect(originsOf('a2a/1.0', { name: 'com.example/search' }, null)).toEqual([])
})

test('an agent card and a manifest of ours come from where they are spoken to', () => {
  const card = {
    url: 'https://a2a.example.com/',
    supportedInterfaces: [{ url: 'https://A2A.example.com/v1' }, { url: 'http://other.example.com:8080/' }],
    provider: { organization: 'Example', url: 'https://example.com' },
  }
  expect(originsOf('a2a/1.0', card, null)).toEqual([
    { source: 'ENDPOINT', host: 'a2a.example.com' },
    { source: 'ENDPOINT', host: 'other.example.com' },
    { source: 'WEBSITE', host: 'example.com' },
  ])
  const ours = { metadata: { name: 'ours' }, spec: { endpoint: 'https://agents.example.com/ours' } }
  expect(originsOf('ossa/v0.5', ours, 'https://now.example.com/')).toEqual([
    { source: 'ENDPOINT', host: 'now.example.com' },
    { source: 'ENDPOINT', host: 'agents.example.com' },
  ])
})

test('an API comes from its servers and from who is to be asked about it', () => {
  const openapi = {
    openapi: '3.1.0',
    info: { title: 'Pets', contact: { url: 'https://example.com/help' } },
    servers: [{ url: 'https://api.example.com/v1' }, { url: '/v2' }],
  }
  expect(originsOf('openapi/3.1', openapi, null)).toEqual([
    { source: 'ENDPOINT', host: 'api.example.com' },
    { source: 'WEBSITE', host: 'example.com' },
  ])
  expect(originsOf('openapi/2.0', { swagger: '2.0', host: 'api.example.com:8443' }, null)).toEqual([
    { source: 'ENDPOINT', host: 'api.example.com' },
  ])
})

test('what is no document, no address or no web address tells of nothing', () => {
  for (const hostile of [null, 'text', 7, [], { url: 7, remotes: 'x', provider: [], spec: 'x', name: {} }])
    expect(originsOf('mcp/server.json', hostile, null)).toEqual([])
  const odd = {
    url: 'mailto:a@example.com',
    websiteUrl: 'no address',
    provider: { url: 'file:///etc/passwd' },
  }
  expect(originsOf('a2a/1.0', odd, null)).toEqual([])
  const many = {
    remotes: Array.from({ length: 1_000 }, (_, index) => ({ url: `https://h${index}.example.com` })),
  }
  expect(originsOf('mcp/server.json', many, null)).toHaveLength(50)
})
