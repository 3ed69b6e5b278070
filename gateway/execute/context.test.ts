import { expect, test } from 'vitest'
import { startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

const teams = [
  { id: 't1', currency: 'EUR', members: [{ id: 'm1' }, { id: 'm2' }] },
  { id: 't2', currency: 'USD', members: [{ id: 'm1' }] },
  { id: 't3', currency: 'USD', members: [{ id: 'm3' }] },
]

const staff: Record<string, TestSubgraph> = {
  teams: {
    typeDefs: `
      type Query { teams: [Team!]! }
      type Team @key(fields: "id") { id: ID! currency: String! members: [Member!]! }
      type Member @key(fields: "id") { id: ID! }`,
    resolvers: { Query: { teams: () => teams } },
  },
  pay: {
    typeDefs: `
      type Team @key(fields: "id") @context(name: "team") { id: ID! currency: String! @external lead: Member! }
      type Member @key(fields: "id") { id: ID! pay(in: String @fromContext(field: "$team { currency }")): String! card: Card! }
      type Card @key(fields: "owner") { owner: ID! label(in: String @fromContext(field: "$team { currency }")): String! }`,
    resolvers: {
      Team: { __resolveReference: (reference: object) => reference, lead: () => ({ id: 'm1' }) },
      Member: {
        __resolveReference: (reference: object) => reference,
        pay: ({ id }: { id: string }, args: { in: string }) => `${id} in ${args.in}`,
        card: ({ id }: { id: string }) => ({ owner: id }),
      },
      Card: {
        __resolveReference: (reference: object) => reference,
        label: ({ owner }: { owner: string }, args: { in: string }) => `${owner}, ${args.in}`,
      },
    },
  },
}

const asked = (graph: TestGraph) =>
  graph.fetched.filter(({ query }) => query.includes('pay(')).map(({ variables }) => variables)

test('entities are asked for together where the context is the same', async () => {
  await using graph = await startGraph(staff)
  expect(await graph.ask('{ teams { id lead { id pay } } }')).toEqual({
    data: {
      teams: [
        { id: 't1', lead: { id: 'm1', pay: 'm1 in EUR' } },
        { id: 't2', lead: { id: 'm1', pay: 'm1 in USD' } },
        { id: 't3', lead: { id: 'm1', pay: 'm1 in USD' } },
      ],
    },
  })
  const team = (id: string) => ({ __typename: 'Team', id })
  expect(asked(graph)).toEqual([
    { representations: [team('t1')], contextualArgument_1_1: 'EUR' },
    { representations: [team('t2'), team('t3')], contextualArgument_1_1: 'USD' },
  ])
})

test('an entity that is in several places has the context of each', async () => {
  await using graph = await startGraph(staff)
  expect(await graph.ask('{ teams { members { id pay card { label } } } }')).toEqual({
    data: {
      teams: [
        {
          members: [
            { id: 'm1', pay: 'm1 in EUR', card: { label: 'm1, EUR' } },
            { id: 'm2', pay: 'm2 in EUR', card: { label: 'm2, EUR' } },
          ],
        },
        { members: [{ id: 'm1', pay: 'm1 in USD', card: { label: 'm1, USD' } }] },
        { members: [{ id: 'm3', pay: 'm3 in USD', card: { label: 'm3, USD' } }] },
      ],
    },
  })
})

test("a client can't set a context argument", async () => {
  await using graph = await startGraph(staff)
  const answer = await graph.ask(
    'query ($contextualArgument_1_0: Boolean!) { teams { id @skip(if: $contextualArgument_1_0) } }',
    { contextualArgument_1_0: false },
  )
  expect(answer.errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } })
  expect((await graph.ask('{ teams { lead { pay(in: "X") } } }')).errors?.[0]).toMatchObject({
    extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
  })
})
