import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Client } from 'pg'
import { expect, inject, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { ask, watch } from '../client.ts'
import { eventually } from '../eventually.ts'
import { act, tokenOf } from './act.ts'

const world = inject('world')
const fleet = resolve(import.meta.dirname, '../../subgraphs/agents/fleet')
const scopes = ['agents:write', 'agents:deploy', 'marketplace:write', 'org:admin']

const administrator = (organization: string) => tokenOf(organization, ...scopes)

type Manifest = { metadata: Record<string, unknown>; spec: Record<string, unknown> }

/** An agent of another organization that does what one of the foundation does. */
async function manifestOf(name: string, version: string): Promise<string> {
  const file = `${fleet}/foundation/document-condenser.yaml`
  const { metadata, spec, ...rest } = parse(await readFile(file, 'utf8')) as Manifest
  const labels = { pool: 'foundation' }
  return stringify({ ...rest, metadata: { ...metadata, name, version, namespace: 'vega', labels }, spec })
}

const register =
  'mutation ($source: String!) { registerAgent(source: $source) { id version organizationId } }'
const owned = `query ($id: ID!, $organization: ID!) {
  agent(id: $id) { organizationId status }
  listing(id: $id) { publisher { id } }
  organization(id: $organization) { agents { edges { node { id } } } }
}`

type Owned = {
  agent: { organizationId: string; status: string }
  listing: { publisher: { id: string } }
  organization: { agents: { edges: { node: { id: string } }[] } }
}

const isOf =
  (id: string, organization: string) =>
  ({ agent, listing, organization: { agents } }: Owned) =>
    agent.organizationId === organization &&
    listing.publisher.id === organization &&
    agents.edges.some(({ node }) => node.id === id)

type Log = { auditLog: { edges: { node: { event: { actor: string; action: string; subject: string } } }[] } }
const actsIn = (token: string, subject: string) =>
  act<Log>(token, '{ auditLog { edges { node { event } } } }').then(({ auditLog }) =>
    auditLog.edges.flatMap(({ node: { event } }) =>
      event.subject === subject ? [`${event.action} by ${event.actor}`] : [],
    ),
  )

type Progress = Record<string, Record<string, { status: string }> | null>

/** What both sides follow; `all` resolves when each has been told of the status. */
async function watchedBy(tokens: readonly string[], field: string, what: string, id: string | undefined) {
  const stack = new AsyncDisposableStack()
  const query = `subscription ($id: ID!) { ${field}(id: $id) { version ${what} { status why } } }`
  const feeds = tokens.map((token) => stack.use(watch<Progress>(world.wsUrl, query, { id }, token)))
  const all = async (status: string) => {
    for (const feed of feeds)
      await feed.until(({ data: told }) => told?.[field]?.[what]?.status === status, 30_000)
  }
  await all('OPEN')
  return { all, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('an agent goes to another organization with its listing, and runs on as the new owner’s', async () => {
  const vega = await administrator('vega')
  const lyra = await administrator('lyra')
  const agentId = 'vega/heirloom'
  await act(lyra, 'mutation { updateOrganization(input: { name: "Lyra" }) { id } }')
  await act(vega, register, { source: await manifestOf('heirloom', '1.0.0') })
  await act(
    vega,
    `mutation ($id: ID!) {
      deployAgent(agentId: $id) { id } activateAgent(agentId: $id) { id } publishListing(agentId: $id) { id } }`,
    { id: agentId },
  )
  const { createSubmission } = await act<{ createSubmission: { id: string } }>(
    vega,
    'mutation ($agentId: ID!) { createSubmission(input: { agentId: $agentId }) { id } }',
    { agentId },
  )

  const offer = 'mutation ($input: OfferAgentInput!) { offerAgent(input: $input) { id } }'
  const input = { agentId, toOrganization: 'lyra', reason: 'We part.' }
  // Its name has just come to be known, by an event.
  const { data } = await eventually(
    () => ask<{ offerAgent: { id: string } }>(world.graphqlUrl, offer, { input }, vega),
    ({ data: made }) => made?.offerAgent !== undefined && made.offerAgent !== null,
  )
  const id = data?.offerAgent.id
  await using sides = await watchedBy([vega, lyra], 'agentOfferProgress', 'offer', id)
  await act(lyra, 'mutation ($id: ID!) { acceptAgent(id: $id) { agent { organizationId } } }', { id })
  await sides.all('ACCEPTED')
  await eventually(
    () => act<Owned>(lyra, owned, { id: agentId, organization: 'lyra' }),
    isOf(agentId, 'lyra'),
  )
  const { submission } = await act<{ submission: { status: string } }>(
    vega,
    'query ($id: ID!) { submission(id: $id) { status } }',
    { id: createSubmission.id },
  )
  expect(submission.status).toBe('WITHDRAWN')

  const over = await ask(world.graphqlUrl, register, { source: await manifestOf('heirloom', '2.0.0') }, vega)
  expect(over.errors?.[0]?.extensions?.code).toBe('CONFLICT')
  expect(await act(lyra, register, { source: await manifestOf('heirloom', '1.1.0') })).toEqual({
    registerAgent: { id: agentId, version: '1.1.0', organizationId: 'lyra' },
  })
  expect(
    await act(lyra, 'mutation ($id: ID!) { deployAgent(agentId: $id) { deployedVersion status } }', {
      id: agentId,
    }),
  ).toEqual({ deployAgent: { deployedVersion: '1.1.0', status: 'ACTIVE' } })

  const taken = await eventually(
    () => actsIn(lyra, agentId),
    (acts) => acts.length > 0,
  )
  expect(taken).toEqual(['agent.take by someone of lyra'])
  expect(await actsIn(vega, agentId)).toEqual([
    'listing.publish by someone of vega',
    'agent.offer by someone of vega',
    'agent.give by someone of vega',
  ])
  // Others count the agents that are active.
  await act(lyra, 'mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agentId })
}, 120_000)

test('what a mass import has listed goes to who has proven its domain, when a moderator agrees', async () => {
  const vendor = await administrator('altair')
  const server = {
    $schema: 'https://static.modelcontextprotocol.io/schemas/2025-09-29/server.schema.json',
    name: 'com.altair-search/search',
    description: 'Searches what Altair has.',
    version: '1.0.0',
    remotes: [{ type: 'streamable-http', url: 'https://mcp.altair-search.com/mcp' }],
  }
  const imported = await act<{ importAgents: { agent: { id: string } | null; error: string | null }[] }>(
    world.token,
    'mutation ($source: String!) { importAgents(source: $source, visibility: PUBLIC) { agent { id } error } }',
    { source: JSON.stringify(server) },
  )
  const agentId = imported.importAgents[0]?.agent?.id ?? ''
  expect(imported.importAgents).toEqual([{ agent: { id: expect.any(String) }, error: null }])
  await act(world.token, 'mutation ($id: ID!) { publishListing(agentId: $id) { id } }', { id: agentId })

  // Nobody here has a domain: it is as if it had been proven.
  const client = new Client({ connectionString: world.adminUrl })
  await client.connect()
  await client.query(
    `insert into marketplace.publisher_domain (organization_id, domain, method, token, status, verified_at, checked_at)
     values ('altair', 'altair-search.com', 'DNS', 'a-token', 'VERIFIED', now(), now())`,
  )
  await client.end()

  const claim =
    'mutation ($input: ClaimAgentInput!) { claimAgent(input: $input) { id evidence { host source } } }'
  const { claimAgent } = await act<{ claimAgent: { id: string; evidence: object[] } }>(vendor, claim, {
    input: { agentId, reason: 'It is ours.' },
  })
  expect(claimAgent.evidence).toEqual([
    { host: 'mcp.altair-search.com', source: 'ENDPOINT' },
    { host: 'altair-search.com', source: 'NAMESPACE' },
  ])
  await using sides = await watchedBy([vendor, world.token], 'agentClaimProgress', 'claim', claimAgent.id)
  const accept = 'mutation ($input: DecideClaimInput!) { acceptClaim(input: $input) { status } }'
  await act(world.token, accept, { input: { id: claimAgent.id, reason: 'By its namespace.' } })
  await sides.all('ACCEPTED')
  await eventually(
    () => act<Owned>(vendor, owned, { id: agentId, organization: 'altair' }),
    isOf(agentId, 'altair'),
  )
  const { listing } = await act<{ listing: { publisher: { verified: boolean } } }>(
    vendor,
    'query ($id: ID!) { listing(id: $id) { publisher { verified } } }',
    { id: agentId },
  )
  expect(listing.publisher.verified).toBe(true)
  await act(vendor, 'mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agentId })
}, 120_000)
