import type { Fixture } from './fixture.ts'

const agents = [
  { id: 'a1', handle: '@scout', nickname: 'Scout' },
  { id: 'a2', handle: '@judge', nickname: 'Judge' },
]

/** The first subgraph's key leads to the second's, which leads to the third. */
export const keyToKey: Fixture = {
  subgraphs: {
    directory: {
      sdl: 'type Query { agent: Agent agents: [Agent!]! } type Agent @key(fields: "id") { id: ID! }',
      resolvers: { Query: { agent: () => agents[0], agents: () => agents } },
    },
    handles: {
      sdl: 'type Agent @key(fields: "id") @key(fields: "handle") { id: ID! handle: String! }',
      rows: { Agent: agents },
    },
    profiles: {
      sdl: 'type Agent @key(fields: "handle") { handle: String! nickname: String }',
      rows: { Agent: agents },
    },
  },
  cases: {
    'one entity': {
      query: '{ agent { id nickname } }',
      expected: { data: { agent: { id: 'a1', nickname: 'Scout' } } },
      fetches: ['directory', 'handles', 'profiles'],
    },
    'a list of them in as many fetches': {
      query: '{ agents { nickname handle } }',
      expected: {
        data: {
          agents: [
            { nickname: 'Scout', handle: '@scout' },
            { nickname: 'Judge', handle: '@judge' },
          ],
        },
      },
      fetches: ['directory', 'handles', 'profiles'],
    },
  },
}

const pools = [
  { id: 'p1', region: 'eu', quota: { id: 'q1', tier: 'GOLD', main: 'p1' }, hourly: { cost: 7 } },
  { id: 'p2', region: 'us', quota: { id: 'q2', tier: 'SILVER', main: 'p2' }, hourly: { cost: 9 } },
]
const fleet = { pools, first: pools[0], chosen: pools[1] }
const poolOf = ({ main }: { main: string }) => pools.find(({ id }) => id === main)
const quotas = pools.map(({ quota }) => quota)

/** Keys of keys: a list of entities with nested objects, each subgraph asking for more of it. */
export const compositeKeys: Fixture = {
  subgraphs: {
    fleets: {
      sdl: `type Query { fleet: Fleet! }
        type Fleet @key(fields: "pools { id }") { pools: [Pool!]! }
        type Pool @extends @key(fields: "id") { id: String! @external quota: Quota @shareable }
        type Quota @key(fields: "id") { id: String! tier: String @shareable main: Pool! @shareable }`,
      rows: { Fleet: [fleet], Pool: pools, Quota: quotas },
      resolvers: { Query: { fleet: () => fleet }, Quota: { main: poolOf } },
    },
    regions: {
      sdl: 'type Pool @key(fields: "id") @key(fields: "id region") { id: String! region: String! }',
      rows: { Pool: pools },
    },
    choices: {
      sdl: `type Fleet @key(fields: "pools { id region }") {
          pools: [Pool!]! first: Pool @shareable chosen: Pool @shareable }
        type Pool @key(fields: "id region") { id: String! region: String }`,
      rows: { Fleet: [fleet], Pool: pools },
    },
    costs: {
      sdl: `type Fleet @key(fields: "pools { id region quota { id tier } } chosen { id }") {
          pools: [Pool!]! first: Pool @shareable chosen: Pool @shareable }
        type Pool @key(fields: "id region quota { id tier }") {
          id: String! region: String quota: Quota hourly: Hourly }
        type Quota @key(fields: "id tier") { id: String! tier: String }
        type Hourly { cost: Float! }`,
      rows: { Fleet: [fleet], Pool: pools, Quota: quotas },
    },
  },
  cases: {
    'everything at once': {
      query: `{ fleet {
        pools { id region hourly { cost } quota { main { id } id tier } } chosen { id } first { id } } }`,
      expected: {
        data: {
          fleet: {
            pools: [
              {
                id: 'p1',
                region: 'eu',
                hourly: { cost: 7 },
                quota: { main: { id: 'p1' }, id: 'q1', tier: 'GOLD' },
              },
              {
                id: 'p2',
                region: 'us',
                hourly: { cost: 9 },
                quota: { main: { id: 'p2' }, id: 'q2', tier: 'SILVER' },
              },
            ],
            chosen: { id: 'p2' },
            first: { id: 'p1' },
          },
        },
      },
    },
    'what the longest key alone reaches': {
      query: '{ fleet { pools { hourly { cost } } } }',
      expected: { data: { fleet: { pools: [{ hourly: { cost: 7 } }, { hourly: { cost: 9 } }] } } },
    },
    'fields of a list key': {
      query: '{ fleet { first { region } chosen { hourly { cost } } } }',
      expected: { data: { fleet: { first: { region: 'eu' }, chosen: { hourly: { cost: 9 } } } } },
    },
  },
}

const certificates = [
  { id: 'c1', serial: 's1', grade: 'gold', scope: { one: '1.1', two: '1.2', three: '1.3' } },
  { id: 'c2', serial: 's2', grade: 'bronze', scope: { one: '2.1', two: '2.2', three: '2.3' } },
]
const label = ({ grade }: { grade?: string }) => {
  if (!grade) throw new Error('label needs grade')
  return `certified ${grade}`
}

/** Both subgraphs list the same keys, and each can resolve another one of them. */
export const keyMashup: Fixture = {
  subgraphs: {
    certification: {
      sdl: `type Certificate @key(fields: "id", resolvable: true) @key(fields: "serial", resolvable: false)
          @key(fields: "scope { one two }", resolvable: false)
          @key(fields: "id scope { two three }", resolvable: false) {
          id: ID! serial: ID! scope: Scope! grade: String! }
        type Scope { one: ID! two: ID! three: ID! }`,
      rows: { Certificate: certificates },
    },
    holders: {
      sdl: `type Query { holder: Holder }
        type Holder @key(fields: "id") { id: ID! certificates: [Certificate!]! }
        type Certificate @key(fields: "scope { one two }", resolvable: false)
          @key(fields: "id scope { two three }", resolvable: true) @key(fields: "serial", resolvable: false)
          @key(fields: "id", resolvable: false) {
          id: ID! serial: ID! scope: Scope! grade: String! @external label: String! @requires(fields: "grade") }
        type Scope { one: ID! two: ID! three: ID! }`,
      rows: { Certificate: certificates },
      resolvers: { Query: { holder: () => ({ id: 'h1', certificates }) }, Certificate: { label } },
    },
  },
  cases: {
    'there and back by different keys': {
      query: '{ holder { id certificates { id grade label } } }',
      expected: {
        data: {
          holder: {
            id: 'h1',
            certificates: [
              { id: 'c1', grade: 'gold', label: 'certified gold' },
              { id: 'c2', grade: 'bronze', label: 'certified bronze' },
            ],
          },
        },
      },
    },
    'only the field that requires': {
      query: '{ holder { certificates { label } } }',
      expected: {
        data: { holder: { certificates: [{ label: 'certified gold' }, { label: 'certified bronze' }] } },
      },
    },
    'no other subgraph is needed': {
      query: '{ holder { certificates { serial scope { three } } } }',
      expected: {
        data: {
          holder: {
            certificates: [
              { serial: 's1', scope: { three: '1.3' } },
              { serial: 's2', scope: { three: '2.3' } },
            ],
          },
        },
      },
      fetches: ['holders'],
    },
  },
}

const skills = [
  { slug: 'rank', id: '1', author: { name: 'Ada' } },
  { slug: 'sign', id: '2', author: { name: 'Kay' } },
  { slug: 'lost', id: '3', author: { name: 'nobody asks for' } },
]

/** An entity that the subgraph in the middle does not know ends there, and so does one whose key is null. */
export const nullKeys: Fixture = {
  subgraphs: {
    shelves: {
      sdl: `type Query { shelves: [Shelf] unsorted: [Shelf] } type Shelf { skill: Skill }
        type Skill @key(fields: "slug") { slug: ID }`,
      resolvers: {
        Query: {
          shelves: () => skills.map((skill) => ({ skill })),
          unsorted: () => [{ skill: null }, { skill: { slug: null } }, { skill: skills[1] }],
        },
      },
    },
    catalog: {
      sdl: 'type Skill @key(fields: "id") @key(fields: "slug") { id: ID! slug: ID }',
      rows: { Skill: skills.slice(0, 2) },
    },
    authors: {
      sdl: 'type Skill @key(fields: "id") { id: ID! author: Author } type Author { name: String }',
      rows: { Skill: skills },
    },
  },
  cases: {
    'an entity that the next subgraph does not know': {
      query: '{ shelves { skill { slug author { name } } } }',
      expected: {
        data: {
          shelves: [
            { skill: { slug: 'rank', author: { name: 'Ada' } } },
            { skill: { slug: 'sign', author: { name: 'Kay' } } },
            { skill: { slug: 'lost', author: null } },
          ],
        },
      },
    },
    'an entity without a key beside one that has it': {
      query: '{ unsorted { skill { slug author { name } } } }',
      expected: {
        data: {
          unsorted: [
            { skill: null },
            { skill: { slug: null, author: null } },
            { skill: { slug: 'sign', author: { name: 'Kay' } } },
          ],
        },
      },
    },
  },
}

const units = [
  { id: 'u1', zone: 'z', load: 1 },
  { id: 'u2', zone: null, load: 2 },
]

/** A part of a key may be null: it is a key all the same. */
export const nullInKey: Fixture = {
  subgraphs: {
    units: {
      sdl: 'type Query { units: [Unit!]! } type Unit @key(fields: "id zone") { id: ID! zone: String }',
      resolvers: { Query: { units: () => units } },
    },
    loads: {
      sdl: 'type Unit @key(fields: "id zone") { id: ID! zone: String load: Int }',
      rows: { Unit: units },
    },
  },
  cases: {
    'and is sent as null': {
      query: '{ units { load } }',
      expected: { data: { units: [{ load: 1 }, { load: 2 }] } },
    },
  },
}

const sections = [
  { id: 's1', name: 'Search', totals: { agents: 2 } },
  { id: 's2', name: 'Safety', totals: { agents: 1 } },
]
const entries = [
  { id: 'e1', rev: 'r1', section: sections[0] },
  { id: 'e2', rev: 'r2', section: sections[1] },
  { id: 'e3', rev: 'r3', section: sections[0] },
]
const shared = `type Entry @key(fields: "id rev") { id: ID! rev: ID! section: Section @shareable }
  type Section @key(fields: "id") { id: ID! name: String! @shareable }`

/** The object that is no entity in a subgraph is reached there through the entity above it. */
export const throughTheParent: Fixture = {
  subgraphs: {
    entries: {
      sdl: `type Query { entries: [Entry!]! } extend type Entry @key(fields: "id") ${shared}`,
      rows: { Entry: entries, Section: sections },
      resolvers: { Query: { entries: () => entries } },
    },
    mirror: { sdl: shared, rows: { Entry: entries, Section: sections } },
    totals: {
      sdl: `type Entry @key(fields: "id rev") { id: ID! rev: ID! section: Section @shareable }
        type Section { totals: Totals } type Totals { agents: Int }`,
      rows: { Entry: entries },
    },
  },
  cases: {
    'and merged into what is there': {
      query: '{ entries { id section { id totals { agents } } } }',
      expected: {
        data: {
          entries: [
            { id: 'e1', section: { id: 's1', totals: { agents: 2 } } },
            { id: 'e2', section: { id: 's2', totals: { agents: 1 } } },
            { id: 'e3', section: { id: 's1', totals: { agents: 2 } } },
          ],
        },
      },
      fetches: ['entries', 'totals'],
    },
    'by an alias too': {
      query: '{ entries { part: section { label: name sums: totals { count: agents } } } }',
      expected: {
        data: {
          entries: [
            { part: { label: 'Search', sums: { count: 2 } } },
            { part: { label: 'Safety', sums: { count: 1 } } },
            { part: { label: 'Search', sums: { count: 2 } } },
          ],
        },
      },
    },
  },
}

const topic = { id: 't3', name: 'Topic 3' }

/** Four subgraphs, of which one knows only the parent and one only the child. */
export const parentsOfParents: Fixture = {
  subgraphs: {
    details: {
      sdl: `type Plan @key(fields: "id") { id: ID @external topic: Topic @shareable }
        type Topic { details: String }`,
      rows: { Plan: [{ id: '1', topic: { details: 'of plan 1' } }] },
    },
    topics: {
      sdl: `type Plan @key(fields: "id") { id: ID @external topic: Topic @shareable }
        type Topic @key(fields: "id") { id: ID }`,
      rows: { Plan: [{ id: '1', topic }], Topic: [topic] },
    },
    names: { sdl: 'type Topic @key(fields: "id") { id: ID name: String }', rows: { Topic: [topic] } },
    plans: {
      sdl: 'type Query { plan(id: ID!): Plan } type Plan @key(fields: "id") { id: ID name: String }',
      resolvers: { Query: { plan: (_, { id }) => ({ id, name: `Plan ${id}` }) } },
    },
  },
  cases: {
    'one object of three subgraphs': {
      query: '{ plan(id: "1") { id name topic { id name details } } }',
      expected: {
        data: {
          plan: { id: '1', name: 'Plan 1', topic: { id: 't3', name: 'Topic 3', details: 'of plan 1' } },
        },
      },
    },
  },
}

const grid = [[agents[0], null], [], null, [agents[1], agents[0]]]

/** Lists of lists, with holes. */
export const nestedLists: Fixture = {
  subgraphs: {
    boards: {
      sdl: 'type Query { grid: [[Agent]] } type Agent @key(fields: "id") { id: ID! }',
      resolvers: { Query: { grid: () => grid } },
    },
    profiles: {
      sdl: 'type Agent @key(fields: "id") { id: ID! nickname: String peers: [[Agent!]!] }',
      rows: { Agent: agents.map((agent) => ({ ...agent, peers: [[agents[1]], [agents[0], agents[1]]] })) },
    },
    handles: { sdl: 'type Agent @key(fields: "id") { id: ID! handle: String }', rows: { Agent: agents } },
  },
  cases: {
    'entities in them': {
      query: '{ grid { id nickname } }',
      expected: {
        data: {
          grid: [
            [{ id: 'a1', nickname: 'Scout' }, null],
            [],
            null,
            [
              { id: 'a2', nickname: 'Judge' },
              { id: 'a1', nickname: 'Scout' },
            ],
          ],
        },
      },
    },
    'and in those lists of lists again': {
      query: '{ grid { peers { handle } } }',
      expected: {
        data: {
          grid: [
            [{ peers: [[{ handle: '@judge' }], [{ handle: '@scout' }, { handle: '@judge' }]] }, null],
            [],
            null,
            [
              { peers: [[{ handle: '@judge' }], [{ handle: '@scout' }, { handle: '@judge' }]] },
              { peers: [[{ handle: '@judge' }], [{ handle: '@scout' }, { handle: '@judge' }]] },
            ],
          ],
        },
      },
      fetches: ['boards', 'handles', 'profiles'],
    },
  },
}

const bids = [{ id: 'b1', by: { org: { id: 'o1' }, desk: 3 }, price: 12 }]

/** A key with an object in an object. */
export const nestedKey: Fixture = {
  subgraphs: {
    desks: {
      sdl: `type Query { bid: Bid } type Bid @key(fields: "id by { desk org { id } }") { id: ID! by: By! }
        type By @shareable { org: Org! desk: Int! } type Org @shareable { id: ID! }`,
      resolvers: { Query: { bid: () => bids[0] } },
    },
    prices: {
      sdl: `type Bid @key(fields: "id by { desk org { id } }") { id: ID! by: By! price: Int }
        type By @shareable { org: Org! desk: Int! } type Org @shareable { id: ID! }`,
      rows: { Bid: bids },
    },
  },
  cases: {
    'is sent whole, whatever is selected': {
      query: '{ bid { price by { desk } } }',
      expected: { data: { bid: { price: 12, by: { desk: 3 } } } },
    },
    'whose parts the client calls otherwise': {
      query: '{ bid { price id: __typename by { org: desk desk: org { desk: id } } } }',
      expected: { data: { bid: { price: 12, id: 'Bid', by: { org: 3, desk: { desk: 'o1' } } } } },
    },
  },
}
