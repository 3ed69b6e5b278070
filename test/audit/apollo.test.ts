import { ApolloServer } from '@apollo/server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { fixtures } from './fixtures.ts'
import { serveFixture } from './serve.ts'

// The package reports where it runs, as soon as it is loaded.
vi.hoisted(() => {
  process.env.APOLLO_TELEMETRY_DISABLED = '1'
})
const { ApolloGateway } = await import('@apollo/gateway')

/** What `@apollo/gateway` 2.14.4 answers wrong, and why: as long as it does, these cases show something. */
const knownFailures = new Map<string, string>([])

describe.each(Object.entries(fixtures))('%s', (name, fixture) => {
  const stack = new AsyncDisposableStack()
  let server: ApolloServer

  beforeAll(async () => {
    const { sdl } = stack.use(await serveFixture(fixture, fixture.composer ?? 'apollo'))
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    server = new ApolloServer({ gateway: new ApolloGateway({ supergraphSdl: sdl, logger }), logger })
    await server.start()
    stack.defer(() => server.stop())
  })
  afterAll(() => stack.disposeAsync())

  test.each(Object.entries(fixture.cases))('%s', async (title, { query, variables, expected }) => {
    const { body } = await server.executeOperation({ query, ...(variables ? { variables } : {}) })
    if (body.kind !== 'single') throw new Error('expected a single answer')
    const { data = null, errors = [] } = body.singleResult
    const answer = JSON.parse(JSON.stringify({ data, errors: errors.length > 0 })) as unknown
    const right = { data: expected.data, errors: expected.errors ?? false }
    if (knownFailures.has(`${name}: ${title}`)) expect(answer).not.toEqual(right)
    else expect({ answer, errors }).toEqual({ answer: right, errors: right.errors ? expect.anything() : [] })
  })
})

test('every known failure is a case', () => {
  const cases = Object.entries(fixtures).flatMap(([name, fixture]) =>
    Object.keys(fixture.cases).map((title) => `${name}: ${title}`),
  )
  expect([...knownFailures.keys()].filter((each) => !cases.includes(each))).toEqual([])
})
