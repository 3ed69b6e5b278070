import { assertCompositionSuccess, composeServices } from '@theguild/federation-composition'
import { parse } from 'graphql'
import { expect, test } from 'vitest'
import { entitySource } from './event.ts'
import { isolate } from './isolate.ts'
import { planOperation } from './plan.ts'
import { printPlan } from './print.ts'
import { createPlanner, readSupergraph } from './supergraph.ts'

type Graph = Record<string, { typeDefs: string }>

function composeSdl(graph: Graph): string {
  const composition = composeServices(
    Object.entries(graph).map(([name, { typeDefs }]) => ({
      name,
      typeDefs: parse(`extend schema @link(url: "https://specs.apollo.dev/federation/v2.5",
        import: ["@key" "@requires" "@external" "@composeDirective"]) ${typeDefs}`),
      url: `http://127.0.0.1:1/${name}`,
    })),
  )
  assertCompositionSuccess(composition)
  return composition.supergraphSdl
}

const eventLink = `extend schema
  @link(url: "https://ossa.community/event/v1.0", import: ["@event"]) @composeDirective(name: "@event")
  directive @event(topic: String!, key: String, where: [String!], entity: String) on FIELD_DEFINITION`

const graph: Graph = {
  agents: {
    typeDefs: `${eventLink}
      type Query { agent(id: ID!): Agent agents: [Agent!]! }
      type Subscription { moved(agentId: ID!, after: String): Move @event(topic: "t.v1", key: "agent/{args.agentId}") }
      type Move @key(fields: "agentId") { agentId: ID! agent: Agent! from: String version: Int! }
      type Agent @key(fields: "id") { id: ID! name: String! home: ID }
    `,
  },
  market: { typeDefs: 'type Agent @key(fields: "id") { id: ID! stars: Int hits(days: Int!): Int }' },
  orgs: {
    typeDefs: `type Agent @key(fields: "id") {
      id: ID! home: ID @external hits(days: Int!): Int @external
      owner: String @requires(fields: "home") trend: Int @requires(fields: "hits(days: 7)") }`,
  },
}

const sdl = composeSdl(graph)
const planner = createPlanner(sdl)
const supergraph = readSupergraph(sdl)
const plan = (query: string) => planOperation(planner, isolate(parse(query), supergraph.traits))
const printed = (query: string) => printPlan(plan(query))

test('entities of two subgraphs are fetched in parallel, conditions stay', () => {
  expect(
    printed('query ($w: Boolean!) { agents { name stars @include(if: $w) owner } }'),
  ).toMatchInlineSnapshot(`
    "1: Fetch from agents {
      {
        agents {
          __typename
          id
          name
          home
        }
      }
    }
    2: Fetch from orgs after 1 {
      at agents.@
      { ... on Agent { __typename id home } } => {
        ... on Agent {
          owner
        }
      }
    }
    3: Fetch from market after 1 if $w {
      at agents.@
      { ... on Agent { __typename id } } => {
        ... on Agent {
          stars
        }
      }
    }"
  `)
})

test("a client's arguments and those of a @requires do not meet", () => {
  expect(printed('{ agent(id: 1) { hits(days: 1) trend } }')).toMatchInlineSnapshot(`
    "1: Fetch from agents {
      {
        agent(id: 1) {
          __typename
          id
        }
      }
    }
    2: Fetch from market after 1 {
      at agent
      { ... on Agent { __typename id } } => {
        ... on Agent {
          hits(days: 1)
          _required0__hits: hits(days: 7)
        }
      }
    }
    3: Fetch from orgs after 2 {
      at agent
      { ... on Agent { __typename _required0__hits id } } => {
        ... on Agent {
          trend
        }
      }
      rename ... on Agent._required0__hits to hits
    }"
  `)
})

test('fields that require the same with different arguments are fetched apart', () => {
  const sdl = composeSdl({
    market: {
      typeDefs: 'type Query { agent: Agent } type Agent @key(fields: "id") { id: ID! hits(days: Int!): Int }',
    },
    orgs: {
      typeDefs: `type Agent @key(fields: "id") { id: ID! hits(days: Int!): Int @external
        week: Int @requires(fields: "hits(days: 7)") month: Int @requires(fields: "hits(days: 30)") plain: Int }`,
    },
  })
  const plan = planOperation(createPlanner(sdl), parse('{ agent { week month plain } }'))
  expect(printPlan(plan)).toMatchInlineSnapshot(`
    "1: Fetch from market {
      {
        agent {
          __typename
          id
          _required1__hits: hits(days: 30)
          _required0__hits: hits(days: 7)
        }
      }
    }
    2: Fetch from orgs after 1 {
      at agent
      { ... on Agent { __typename id _required0__hits } } => {
        ... on Agent {
          week
          plain
        }
      }
      rename ... on Agent._required0__hits to hits
      at agent
      { ... on Agent { __typename id _required1__hits } } => {
        ... on Agent {
          month
        }
      }
      rename ... on Agent._required1__hits to hits
    }"
  `)
})

test('an alias that is a field name does not shadow the key', () => {
  expect(printed('{ agent(id: 1) { id: name stars } }')).toMatchInlineSnapshot(`
    "1: Fetch from agents {
      {
        agent(id: 1) {
          __typename
          id
          _client__id: name
        }
      }
    }
    2: Fetch from market after 1 {
      at agent
      { ... on Agent { __typename id } } => {
        ... on Agent {
          stars
        }
      }
    }"
  `)
})

test('nothing is fetched for introspection', () => {
  expect(printed('{ __typename __schema { queryType { name } } }')).toBe('nothing to fetch')
})

test('a subscription has its first fetch apart', () => {
  expect(printed('subscription { moved(agentId: 1) { from agent { stars } } }')).toMatchInlineSnapshot(`
    "Subscribe to agents {
      {
        moved(agentId: 1) {
          from
          agent {
            __typename
            id
          }
        }
      }
    }
    1: Fetch from market {
      at moved.agent
      { ... on Agent { __typename id } } => {
        ... on Agent {
          stars
        }
      }
    }"
  `)
})

test('an event binding renders its key, and turns the first fetch into one of an entity', () => {
  const binding = supergraph.events.get('moved')!
  expect(binding).toMatchObject({ field: 'moved', topic: 't.v1', type: 'Move', hasVersion: true })
  expect(binding.keyOf?.({ agentId: 'a{1}' })).toBe('agent/a{1}')
  const { primary } = plan(
    'subscription ($id: ID!, $x: Boolean!) { m: moved(agentId: $id) { from @skip(if: $x) version } }',
  )
  const source = entitySource(primary!, binding)
  expect(source.responseName).toBe('m')
  expect(source.snapshot).toMatchObject({
    subgraph: 'agents',
    variables: ['x'],
    parts: [{ fields: ['from', 'version'] }],
  })
  expect(source.snapshot.text.replaceAll(/\s+/g, ' ')).toBe(
    'query($representations:[_Any!]!,$x: Boolean!){_entities(representations:$representations){... on Move { from @skip(if: $x) version _stream__version: version }}}',
  )
})

test('a supergraph that asks for what this gateway does not do is refused', () => {
  const guarded = sdl.replace(
    '@link(url: "https://specs.apollo.dev/link/v1.0")',
    '@link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/connect/v0.1", for: EXECUTION)',
  )
  expect(() => readSupergraph(guarded)).toThrow('connect')
})

test('a key that is not resolvable is not preferred', () => {
  const unresolvable = composeSdl({
    a: { typeDefs: 'type Query { p: P } type P @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! }' },
    b: {
      typeDefs:
        'type P @key(fields: "id", resolvable: false) @key(fields: "sku") { id: ID! sku: ID! left: Int }',
    },
  })
  expect(
    printPlan(planOperation(createPlanner(unresolvable), parse('{ p { left } }'))),
  ).toMatchInlineSnapshot(`
    "1: Fetch from a {
      {
        p {
          __typename
          sku
        }
      }
    }
    2: Fetch from b after 1 {
      at p
      { ... on P { __typename sku } } => {
        ... on P {
          left
        }
      }
    }"
  `)
})
