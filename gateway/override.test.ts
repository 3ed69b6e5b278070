import { expect, test } from 'vitest'
import { labelRoller } from './override.ts'
import { startGraph, type TestSubgraph } from './testing/graph.ts'

const shop: Record<string, TestSubgraph> = {
  old: {
    typeDefs: 'type Query { item: Item } type Item @key(fields: "id") { id: ID! price: Int name: String }',
    resolvers: { Query: { item: () => ({ id: 1, price: 1, name: 'old' }) } },
  },
  next: {
    typeDefs: `type Item @key(fields: "id") { id: ID! price: Int @override(from: "old", label: "percent(50)")
      name: String @override(from: "old", label: "renaming") }`,
    resolvers: { Item: { __resolveReference: (item: object) => item, price: () => 2, name: () => 'new' } },
  },
}

test('a share of requests goes to the new subgraph, by one roll a request', () => {
  let rolled = 0
  const roll = labelRoller(['percent(25)', 'percent(50.5)', 'beta', 'off'], ['beta'], () => rolled)
  const rolls = [10, 25, 50.4, 50.5, 99].map((value) => {
    rolled = value
    return [...roll()]
  })
  expect(rolls).toEqual([
    ['beta', 'percent(25)', 'percent(50.5)'],
    ['beta', 'percent(50.5)'],
    ['beta', 'percent(50.5)'],
    ['beta'],
    ['beta'],
  ])
})

test('a label that is switched on moves its fields, another does not', async () => {
  const asked = '{ item { name } }'
  await using before = await startGraph(shop)
  expect(await before.ask(asked)).toEqual({ data: { item: { name: 'old' } } })
  await using after = await startGraph(shop, { env: { OVERRIDE_LABELS: 'renaming' } })
  expect(await after.ask(asked)).toEqual({ data: { item: { name: 'new' } } })
})

test('half of the requests get the moved field', async () => {
  await using graph = await startGraph(shop)
  const prices = new Set<string>()
  for (let n = 0; n < 60; n++) prices.add(JSON.stringify((await graph.ask('{ item { price } }')).data))
  expect(prices).toEqual(new Set(['{"item":{"price":1}}', '{"item":{"price":2}}']))
})
