import { setTimeout } from 'node:timers/promises'
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

/** Pages refer to few authors, often; what is told of an author comes from two subgraphs, beside each other. */
const library: Record<string, TestSubgraph> = {
  pages: {
    typeDefs: `type Query { pages: [Page!]! } union Page = Book | Film
      type Book { by: Author! } type Film { by: Author! readers: [[Author]] }
      type Author @key(fields: "constructor") { constructor: ID! }`,
    resolvers: {
      Query: {
        pages: () =>
          [0, 1, 0, 1].map((n, index) => ({
            __typename: index < 2 ? 'Book' : 'Film',
            by: { constructor: `a${n}` },
            readers: [
              [{ constructor: 'a1' }, null],
              [{ constructor: 'a0' }, { constructor: 'a1' }],
            ],
          })),
      },
    },
  },
  names: {
    typeDefs: 'type Author @key(fields: "constructor") { constructor: ID! name: String! friend: Author }',
    resolvers: {
      Author: {
        __resolveReference: (reference: { constructor: string }) => reference,
        name: ({ constructor: id }: { constructor: string }) => `name of ${id}`,
        friend: () => ({ constructor: 'a0' }),
      },
    },
  },
  years: {
    typeDefs: 'type Author @key(fields: "constructor") { constructor: ID! born: Int }',
    resolvers: {
      Author: {
        __resolveReference: (reference: object) => reference,
        born: ({ constructor: id }: { constructor: string }) => 1900 + Number(id.slice(1)),
      },
    },
  },
}

test('objects that are nothing but the same reference are one, and all have what is asked of them', async () => {
  await using graph = await startGraph(library)
  const query = `{ pages {
    ... on Book { by { name born friend { name friend { born } } } }
    ... on Film { by { constructor born } readers { name born } }
  } }`
  const friend = { name: 'name of a0', friend: { born: 1900 } }
  const author = (n: number) => ({ name: `name of a${n}`, born: 1900 + n })
  const pages: unknown[] = [
    { by: { ...author(0), friend } },
    { by: { ...author(1), friend } },
    {
      by: { constructor: 'a0', born: 1900 },
      readers: [
        [author(1), null],
        [author(0), author(1)],
      ],
    },
    {
      by: { constructor: 'a1', born: 1901 },
      readers: [
        [author(1), null],
        [author(0), author(1)],
      ],
    },
  ]
  expect(await graph.ask(query)).toEqual({ data: { pages } })
})

test('an error of one that stands for others is told at each place', async () => {
  await using graph = await startGraph(library)
  graph.answerWith(
    'years',
    '{"data":{"_entities":[null,{"born":1}]},"errors":[{"message":"gone","path":["_entities",0,"born"]}]}',
  )
  const { data, errors } = await graph.ask(
    '{ pages { ... on Book { by { born } } ... on Film { by { born } } } }',
  )
  expect(data).toEqual({ pages: [null, 1, null, 1].map((born) => ({ by: { born } })) })
  expect(errors?.map(({ path }) => path?.join('.'))).toEqual(['pages.0.by.born', 'pages.2.by.born'])
})

/** An author who is there at once where a book leads, and after another fetch where a film does; names take their time. */
const archive: Record<string, TestSubgraph> = {
  pages: {
    typeDefs: `type Query { pages: [Page!]! } union Page = Book | Film
      type Book { by: Author } type Film @key(fields: "id") { id: ID! } type Author @key(fields: "id") { id: ID! }`,
    resolvers: {
      Query: {
        pages: () => [
          { __typename: 'Film', id: 'f1' },
          { __typename: 'Book', by: { id: 'a1' } },
          { __typename: 'Film', id: 'f1' },
        ],
      },
    },
  },
  films: {
    typeDefs: `type Film @key(fields: "id") { id: ID! by: Author @provides(fields: "friend { id }") length: Int }
      type Author @key(fields: "id") { id: ID! friend: Author @external }`,
    resolvers: {
      Film: {
        __resolveReference: (reference: object) => reference,
        by: () => ({ id: 'a1', friend: { id: 'a2' } }),
        length: () => 90,
      },
    },
  },
  names: {
    typeDefs: 'type Author @key(fields: "id") { id: ID! name: String mail: String friend: Author }',
    resolvers: {
      Author: {
        async __resolveReference(reference: object) {
          await setTimeout(50)
          return reference
        },
        name: ({ id }: { id: string }) => `name of ${id}`,
        mail: ({ id }: { id: string }) => `mail of ${id}`,
        friend: () => ({ id: 'a2' }),
      },
    },
  },
  years: {
    typeDefs: 'type Author @key(fields: "id") { id: ID! born: Int }',
    resolvers: { Author: { __resolveReference: (reference: object) => reference, born: () => 1900 } },
  },
}

test.each<[string, string, (one: 'Book' | 'Film') => object]>([
  [
    'what a fetch under way will fill is not replaced by one that begins later',
    '{ pages { ... on Book { by { name } } ... on Film { by { born } } } }',
    (one) => ({ by: one === 'Book' ? { name: 'name of a1' } : { born: 1900 } }),
  ],
  [
    'what came after an earlier fetch had been there is found as well',
    '{ pages { ... on Book { by { friend { born } } } ... on Film { by { friend { born } } } } }',
    () => ({ by: { friend: { born: 1900 } } }),
  ],
  [
    'what is found where an earlier fetch has been stays in its place',
    '{ pages { ... on Film { length by { name } } ... on Book { by { friend { born name } } } } }',
    (one) =>
      one === 'Book'
        ? { by: { friend: { born: 1900, name: 'name of a2' } } }
        : { length: 90, by: { name: 'name of a1' } },
  ],
  [
    'one name for different fields of types that exclude each other',
    '{ pages { ... on Book { by { x: name } } ... on Film { by { x: mail } } } }',
    (one) => ({ by: { x: one === 'Book' ? 'name of a1' : 'mail of a1' } }),
  ],
])('%s', async (_, query, page) => {
  await using graph = await startGraph(archive)
  expect(await graph.ask(query)).toEqual({ data: { pages: [page('Film'), page('Book'), page('Film')] } })
})

test('a fetch for a first answer keeps its objects when what is deferred is asked for', async () => {
  await using graph = await startGraph(archive)
  const response = await fetch(graph.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'multipart/mixed;deferSpec=20220824' },
    body: JSON.stringify({
      query: '{ pages { ... on Book { by { name } } ... on Film @defer { by { born } } } }',
    }),
  })
  const text = await response.text()
  expect(text).toContain('"by":{"name":"name of a1"}')
  expect(text.match(/"born":1900/g)?.length).toBe(2)
})
