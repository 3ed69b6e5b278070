import { startGateway } from '@community/gateway/gateway.ts'
import { readConfig } from '@community/infra/config.ts'
import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fixtures } from './fixtures.ts'
import { serveFixture } from './serve.ts'

type Answer = { data?: unknown; errors?: { message: string; path?: (string | number)[] }[] }

const composed = Object.entries(fixtures).flatMap(([name, fixture]) =>
  (['guild', 'apollo'] as const)
    .filter((composer) => (fixture.composer ?? composer) === composer)
    .map((composer) => ({ name, composer, fixture })),
)

describe.each(composed)('$name, composed by $composer', ({ composer, fixture }) => {
  const stack = new AsyncDisposableStack()
  let ask: (query: string, variables: Record<string, unknown> | undefined) => Promise<Answer>
  let takeFetches: () => string[]

  beforeAll(async () => {
    const served = stack.use(await serveFixture(fixture, composer))
    const gateway = await startGateway({
      sdl: served.sdl,
      port: 0,
      config: readConfig({}),
      log: createLog('audit', 'error'),
      eventLog: null,
    })
    stack.defer(() => gateway.stop())
    takeFetches = () => served.takeFetches()
    ask = async (query, variables) => {
      const response = await fetch(gateway.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      })
      return (await response.json()) as Answer
    }
  })
  afterAll(() => stack.disposeAsync())

  test.each(Object.entries(fixture.cases))('%s', async (_case, { query, variables, expected, ...more }) => {
    takeFetches()
    const { data = null, errors = [] } = await ask(query, variables)
    const { data: expectedData, errors: expectedErrors = false } = expected
    const messages = errors.map(({ message }) => message)
    expect({ data, errors: errors.length > 0, messages }).toEqual({
      data: expectedData,
      errors: expectedErrors,
      messages: expectedErrors ? expect.anything() : [],
    })
    if (more.errorPaths) expect(errors.map(({ path }) => path)).toEqual(more.errorPaths)
    if (more.fetches) expect(takeFetches().toSorted()).toEqual(more.fetches)
  })
})
