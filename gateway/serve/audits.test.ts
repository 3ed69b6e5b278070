import { serverAudits } from 'graphql-http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGraph, type TestGraph } from '../testing/graph.ts'

let graph: TestGraph

beforeAll(async () => {
  graph = await startGraph({ one: { typeDefs: 'type Query { hello: String }' } })
})
afterAll(() => graph[Symbol.asyncDispose]())

const audits = serverAudits({ url: () => graph.url, fetchFn: fetch })

describe('GraphQL over HTTP', () => {
  test.each(audits.map((audit) => [`${audit.id} ${audit.name}`, audit] as const))(
    '%s',
    async (_name, audit) => {
      const result = await audit.fn()
      if (result.status !== 'ok') throw new Error(result.reason)
    },
  )

  test('all 61 checks are among these', () => {
    expect(audits).toHaveLength(61)
  })
})
