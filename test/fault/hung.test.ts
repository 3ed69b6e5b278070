import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, watch } from '../client.ts'
import { startWorld, type World } from '../world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld({ kafka: 'never' })
  await world.deploy('foundation-93agents')
})
afterAll(() => world?.stop())

type Change = {
  incidentFeed: {
    incidentId: string
    version: number
    incident: { status: string; subject: { id: string }; pool: { name: string } | null }
    entry: { kind: string; action: string | null; text: string }
  } | null
}

const feed = `subscription ($pool: [String!]) { incidentFeed(filter: { pool: $pool }) {
  incidentId version incident { status subject { id } pool { name } } entry { kind action text } } }`

test('a pool that hangs is an incident, killed, started again and resolved without a person; nothing else is one', async () => {
  const token = await world.token()
  const incidents = async () =>
    (
      await ask<{ incidents: { totalCount: number } }>(
        world.community.graphqlUrl,
        '{ incidents { totalCount } }',
        {},
        token,
      )
    ).data?.incidents.totalCount
  // A start and the deployment of a fleet are none.
  expect(await incidents()).toBe(0)

  await using watching = watch<Change>(world.wsUrl, feed, { pool: ['analytics'] }, token)
  await watching.until(({ data }) => data?.incidentFeed === null, 10_000)
  const pool = world.community.processes.find(({ name }) => name === 'pool analytics')
  const hung = pool?.pid() ?? 0
  const begun = performance.now()
  process.kill(hung, 'SIGSTOP')
  const after = async (kind: string) => {
    await watching.until(({ data }) => data?.incidentFeed?.entry.kind === kind, 60_000)
    return Math.round(performance.now() - begun)
  }
  const detectedMs = await after('DETECTED')
  await expect.poll(() => pool?.pid() !== hung, { timeout: 30_000, interval: 50 }).toBe(true)
  const killedMs = Math.round(performance.now() - begun)
  const resolvedMs = await after('RESOLVED')
  console.log(`a pool that hangs: ${JSON.stringify({ detectedMs, killedMs, resolvedMs })}`)

  const changes = watching.received.flatMap(({ data }) => data?.incidentFeed ?? [])
  expect(changes.map(({ version }) => version)).toEqual(changes.map((_, index) => index + 1))
  expect(new Set(changes.map(({ incidentId }) => incidentId)).size).toBe(1)
  expect(changes.at(-1)).toMatchObject({
    incident: { status: 'RESOLVED', subject: { id: 'analytics' }, pool: { name: 'analytics' } },
  })
  expect(await incidents()).toBe(1)

  // Those of another organization are not told.
  const others = await world.token({ organization: 'other' })
  const seen = await ask(world.community.graphqlUrl, '{ incidents { totalCount } }', {}, others)
  expect(seen).toEqual({ data: { incidents: { totalCount: 0 } } })
})
