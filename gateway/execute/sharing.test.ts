import { expect, test } from 'vitest'
import { startGraph, type TestSubgraph } from '../testing/graph.ts'

const shop: Record<string, TestSubgraph> = {
  orders: {
    typeDefs:
      'type Query { first: Order last: Order all: [Order!]! } type Order @key(fields: "id") { id: ID! }',
    resolvers: {
      Query: {
        first: () => ({ id: 'o1' }),
        last: () => ({ id: 'o1' }),
        all: () => ['o1', 'o2', 'o1'].map((id) => ({ id })),
      },
    },
  },
  sales: {
    typeDefs: `type Order @key(fields: "id") { id: ID! buyer: User! lines: [Line!]! }
      type Line { amount: Int! by: User! } type User @key(fields: "id") { id: ID! }`,
    resolvers: {
      Order: {
        __resolveReference: (order: object) => order,
        buyer: () => ({ id: 'u1' }),
        lines: ({ id }: { id: string }) =>
          [1, 2].map((amount) => ({ amount, by: { id: `${id}-u${amount}` } })),
      },
    },
  },
  people: {
    typeDefs: 'type User @key(fields: "id") { id: ID! name: String! mail: String! friend: User }',
    resolvers: {
      User: {
        __resolveReference: ({ id }: { id: string }) => ({ id, name: `name of ${id}`, mail: `${id}@x` }),
        friend: () => ({ id: 'f', name: 'friend', mail: 'f@x' }),
      },
    },
  },
}

test('one entity in two places, of which different things are asked under one name', async () => {
  await using graph = await startGraph(shop)
  expect(await graph.ask('{ first { buyer { x: name } } last { buyer { x: mail } } }')).toEqual({
    data: { first: { buyer: { x: 'name of u1' } }, last: { buyer: { x: 'u1@x' } } },
  })
  expect(
    await graph.ask(
      '{ first { lines { by { x: friend { y: name } } } } last { lines { by { x: friend { y: mail } } } } }',
    ),
  ).toEqual({
    data: {
      first: { lines: [{ by: { x: { y: 'friend' } } }, { by: { x: { y: 'friend' } } }] },
      last: { lines: [{ by: { x: { y: 'f@x' } } }, { by: { x: { y: 'f@x' } } }] },
    },
  })
})

test('what is asked of it in one place only is not in the other', async () => {
  await using graph = await startGraph(shop)
  expect(
    await graph.ask(
      '{ first { buyer { name } lines { amount } } last { buyer { id } } all { buyer { mail } } }',
    ),
  ).toEqual({
    data: {
      first: { buyer: { name: 'name of u1' }, lines: [{ amount: 1 }, { amount: 2 }] },
      last: { buyer: { id: 'u1' } },
      all: ['o1', 'o2', 'o1'].map(() => ({ buyer: { mail: 'u1@x' } })),
    },
  })
})

test('alike in all places, it is asked for once, and so is what hangs below it', async () => {
  await using graph = await startGraph(shop)
  const order = (id: string) => ({ lines: [1, 2].map((n) => ({ by: { name: `name of ${id}-u${n}` } })) })
  expect(
    await graph.ask(
      '{ first { ...F } last { ...F } all { ...F } } fragment F on Order { lines { by { name } } }',
    ),
  ).toEqual({
    data: { first: order('o1'), last: order('o1'), all: ['o1', 'o2', 'o1'].map(order) },
  })
  expect(
    graph.fetched.map(({ subgraph, variables }) => [
      subgraph,
      (variables as { representations?: unknown[] }).representations?.length,
    ]),
  ).toEqual([
    ['orders', undefined],
    ['sales', 2],
    ['people', 4],
  ])
})

test('errors of a shared entity are told at each of its places', async () => {
  await using graph = await startGraph(shop)
  graph.answerWith(
    'people',
    '{"data":{"_entities":[null,null,null,null]},"errors":[{"message":"gone","path":["_entities",0,"name"]}]}',
  )
  const { errors } = await graph.ask('{ first { lines { by { name } } } all { lines { by { name } } } }')
  expect(errors?.filter(({ message }) => message === 'gone').map(({ path }) => path?.join('.'))).toEqual([
    'first.lines.0.by.name',
    'all.0.lines.0.by.name',
    'all.2.lines.0.by.name',
  ])
})

test('an answer without end is refused, though it is made of little', async () => {
  const people = Array.from({ length: 10 }, (_, index) => ({ id: `${index}` }))
  const user = (field: string) => ({
    typeDefs: `type Query { ${field}Query: User } type User @key(fields: "id") { id: ID! ${field}: [User!]! }`,
    resolvers: {
      Query: { [`${field}Query`]: () => people[0] },
      User: { __resolveReference: (reference: object) => reference, [field]: () => people },
    },
  })
  await using graph = await startGraph({ friends: user('friends'), pals: user('pals') })
  const nested = (depth: number): string =>
    depth === 0 ? 'id' : `${depth % 2 === 0 ? 'friends' : 'pals'} { ${nested(depth - 1)} }`
  expect((await graph.ask(`{ friendsQuery { ${nested(3)} } }`)).errors).toBeUndefined()
  const { errors } = await graph.ask(`{ friendsQuery { ${nested(12)} } }`)
  expect(errors).toMatchObject([{ extensions: { code: 'ANSWER_TOO_LARGE' } }])
  graph.answerWith('pals', '{"data":{"_entities":null},"errors":[{"message":"no pals"}]}')
  expect((await graph.ask(`{ friendsQuery { friends { ${nested(11)} } } }`)).errors?.length).toBeGreaterThan(
    0,
  )
})
