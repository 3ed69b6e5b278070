import { ApolloServer } from '@apollo/server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { fixtures } from './fixtures.ts'
import { serveFixture } from './serve.ts'

// The package reports where it runs, as soon as it is loaded.
vi.hoisted(() => {
  process.env.APOLLO_TELEMETRY_DISABLED = '1'
})
const { ApolloGateway } = await import('@apollo/gateway')

/** What `@apollo/gateway` 2.14.4 answers wrong, by reason: as long as it does, the fixtures show something. */
const knownFailures: Record<string, string[]> = {
  'a key that is not resolvable is preferred': [
    'keyMashup: there and back by different keys',
    'keyMashup: only the field that requires',
  ],
  'nothing can be resolved by null, and one such error loses the others': [
    'nullKeys: an entity without a key beside one that has it',
  ],
  'an alias is taken for the field of that name, in keys and in what is required': [
    'nestedKey: whose parts the client calls otherwise',
    'aliases: a key’s name',
    'aliases: a required field’s name, given to another',
    'aliases: below a required object',
  ],
  'a required field with arguments is merged with another one’s, or with the client’s': [
    'aliases: a required field by its name, with an argument that is not the default',
    'requiresWithArguments: the client asks with other arguments',
    'requiresWithArguments: with a variable and its default',
    'requiresWithArguments: two requirements with different arguments',
    'requiresWithArguments: and the client besides',
    'requiresWithArguments: in different fragments',
    'requiresWithArguments: below an object',
    'requiresWithArguments: and the client below it',
    'requiresWithArguments: of two subgraphs',
    'requiresWithArguments: of two subgraphs, none of them where the fields are',
    'requiresWithArguments: under a condition',
    'requiresWithArguments: under a condition that does not hold',
    'requiresInterfaceArguments: given and not given, on the interface and on a type',
    'requiresInterfaceArguments: beside the client’s',
    'requiresLimitedLists: and the client with a smaller limit',
    'requiresLimitedLists: with a variable',
    'requiresLimitedLists: and the client with a larger limit',
    'requiresLimitedLists: in two fragments',
    'requiresLimitedLists: at both depths',
  ],
  'what is required under a condition that does not hold is waited for': [
    'requiresUnderConditions: the first is left out',
    'requiresUnderConditions: one with the other’s requirement and more, where both begin',
    'abstractTypes: two requirements of one subgraph, one left out',
  ],
  'an interface object’s type name takes the place of the type’s': [
    'interfaceObject: the type’s name and the object’s field, of one type',
    'interfaceObject: the type’s name, of all and of one type',
  ],
  'a required field is asked of a subgraph where it is external': [
    'requiresLimitedLists: the requirement alone',
    'requiresOfItsOwnField: from where it is external',
    'requiresOfItsOwnField: beside the field',
  ],
  'a type that a longer way does not have is dropped': [
    'partialUnions: all of what is known where it begins',
    'partialUnions: and there',
  ],
  'what of an object depends on a variable decides whether the object is there': [
    'includeAndSkip: all that is below a field of an entity',
  ],
  'an operation for which nothing is planned is answered by null without an error': [
    'interfaceObjectUnresolvable: there is no type to have the field',
    'interfaceObjectUnresolvable: no type, beside a field that is',
  ],
  'null takes the place of what another subgraph answered': [
    'mergedAnswers: an object of one and null of the other',
    'mergedAnswers: lists of them',
    'mergedAnswers: lists of lists of them',
  ],
  'null without an error where a value or a type is hidden from clients, or an entity must be known': [
    'requiresFragments: a hidden type is null',
    'enumValues: one of two',
    'enumValues: in lists of lists, by another name',
    'enumValues: where it must not be null',
    'inaccessible: a value is returned',
    'inaccessible: a type of a union and of an interface',
    'errorPaths: one for an entity that is not known and must be',
  ],
  'a composed directive is unknown to operations': [
    'executableDirective: with its default',
    'executableDirective: with an argument',
    'executableDirective: on an entity',
  ],
}
const isKnown = new Set(Object.values(knownFailures).flat())

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
    if (isKnown.has(`${name}: ${title}`)) expect(answer).not.toEqual(right)
    else expect({ answer, errors }).toEqual({ answer: right, errors: right.errors ? expect.anything() : [] })
  })
})

test('every known failure is a case', () => {
  const cases = Object.entries(fixtures).flatMap(([name, fixture]) =>
    Object.keys(fixture.cases).map((title) => `${name}: ${title}`),
  )
  expect([...isKnown].filter((each) => !cases.includes(each))).toEqual([])
})
