import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { loopback } from '../../../test/outbound.ts'
import { type InvokeOptions, invoke } from '../../kit/invoke.ts'
import { contentDigest } from '../skills/content-digest.ts'
import { usageReport } from '../skills/usage-report.ts'
import { localRuntime, type Placement, type Runtime } from './local.ts'

const log = createLog('test', 'silent')
const stack = new AsyncDisposableStack()
let folder: string
let keys: Keys
let gatewayUrl: string
let pool: { child: ChildProcess; url: string }
let runtime: Runtime
/** Of those who asked the graph. */
const tokens: string[] = []

const manifest = (name: string, skill: typeof contentDigest | typeof usageReport, configuration: object) => ({
  apiVersion: 'ossa/v0.5',
  kind: 'Agent',
  metadata: { name, version: '1.0.0', description: `Tests ${skill.name}.`, namespace: 'ossa', labels: {} },
  spec: {
    type: 'worker',
    subtype: 'worker.test',
    visibility: 'PUBLIC',
    capabilities: [
      {
        name: 'do',
        description: 'Does it.',
        skill: skill.name,
        configuration,
        input: z.toJSONSchema(skill.input, { io: 'input' }),
        output: z.toJSONSchema(skill.output),
        examples: [],
      },
    ],
  },
})

const placements: Placement[] = [
  {
    agentId: 'digester',
    manifest: manifest('digester', contentDigest, { format: 'oci', algorithms: ['sha-256'] }),
  },
  {
    agentId: 'guild/reporter',
    manifest: manifest('reporter', usageReport, { groupBy: 'AGENT', order: 'calls', first: 5 }),
  },
].map((placement) => ({ ...placement, pool: 'foundation', deploymentId: '1', organizationId: 'guild' }))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pool-'))
  stack.defer(() => rm(folder, { recursive: true }))
  keys = await openKeys(folder, 'internal')
  const gateway = createServer((request, response) => {
    const [, token = ''] = request.headers.authorization?.split(' ') ?? []
    tokens.push(token)
    response.end('{"data":{"usage":{"totalCount":0,"edges":[]}}}')
  })
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
  stack.defer(() => void gateway.close())
  gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}/graphql`
  pool = await startPool(0)
  stack.defer(() => void pool.child.kill('SIGKILL'))
  runtime = localRuntime({ pools: { foundation: pool.url }, keys, log })
  for (const placement of placements) await runtime.deploy(placement)
})
afterAll(() => stack.disposeAsync())

async function startPool(port: number) {
  const child = fork(join(import.meta.dirname, 'pool.ts'), ['--name', 'foundation', '--port', String(port)], {
    env: { ...process.env, KEYS_DIR: folder, GATEWAY_URL: gatewayUrl, LOG_LEVEL: 'warn' },
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the pool ended with ${code}`)))
    child.once('message', (message) =>
      resolve(z.object({ ready: z.literal(true), url: z.url() }).parse(message).url),
    )
  })
  return { child, url }
}

const call = (agentId: string, input: unknown, overrides: Partial<InvokeOptions> = {}) =>
  invoke({
    endpoint: `${pool.url}/a2a/${encodeURIComponent(agentId)}`,
    outbound: loopback,
    agentId,
    capability: 'do',
    input,
    caller: 'tester',
    keys,
    timeoutMs: 10_000,
    maxBytes: 100_000,
    ...overrides,
  })

const digested = {
  content: 'hello',
  digest: `sha256:${createHash('sha256').update('hello').digest('hex')}`,
}

test('an agent in a process of its own answers', async () => {
  expect(await call('digester', digested)).toMatchObject({
    outcome: 'OK',
    output: { verified: true, checks: [{ algorithm: 'sha256', outcome: 'MATCH' }] },
  })
  expect(await call('digester', { ...digested, content: 'hallo' })).toMatchObject({
    output: { verified: false },
  })
})

test('bad input is refused with its path', async () => {
  expect(await call('digester', { ...digested, content: 7 })).toMatchObject({
    outcome: 'ERROR',
    error: 'input/content: must be string',
  })
})

test('an agent asks the graph as itself, for its organization, with no scopes', async () => {
  expect(await call('guild/reporter', { hours: 1 })).toMatchObject({ outcome: 'OK', output: { groups: [] } })
  const issuer = await openKeys(folder, 'issuer')
  const claims = await issuer.verify(tokens[0] ?? '', { audience: 'community', issuer: 'community' })
  expect(claims).toMatchObject({ sub: 'agent:guild/reporter', org: 'guild' })
  expect(claims).not.toHaveProperty('scope')
})

test('a call without a token made out to the agent is not let in', async () => {
  const endpoint = `${pool.url}/a2a/digester`
  const bare = await fetch(endpoint, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  })
  expect(bare.status).toBe(401)
  const elsewhere = await call('guild/reporter', digested, { endpoint })
  expect(elsewhere).toMatchObject({ outcome: 'ERROR', error: expect.stringContaining('HTTP 401') })
})

test('a pool that hangs is a TIMEOUT, and answers again when it goes on', async () => {
  pool.child.kill('SIGSTOP')
  const late = await call('digester', digested, { timeoutMs: 100 })
  pool.child.kill('SIGCONT')
  expect(late).toMatchObject({ outcome: 'TIMEOUT', error: 'no answer within 100 ms' })
  expect(await call('digester', digested)).toMatchObject({ outcome: 'OK' })
})

test('a pool counts what its agents did', async () => {
  const rows = await runtime.hosted('foundation')
  expect(rows).toMatchObject([
    { agentId: 'digester', deploymentId: '1', errors: 0 },
    { agentId: 'guild/reporter', deploymentId: '1', calls: 1, errors: 0 },
  ])
})

test('a pool that was killed and started anew gets its agents back', async () => {
  const died = once(pool.child, 'exit')
  pool.child.kill('SIGKILL')
  await died
  const down = Promise.withResolvers<void>()
  const back = Promise.withResolvers<void>()
  const reconciling = runtime.reconcile({
    intervalMs: 50,
    async onHeartbeat(report) {
      if (!report.up) down.resolve()
      else if (report.hosted.length === 2) back.resolve()
    },
    missing: async (_pool, hosted) =>
      placements.filter(({ agentId }) => !hosted.some((row) => row.agentId === agentId)),
  })
  await down.promise
  pool = await startPool(Number(new URL(pool.url).port))
  await back.promise
  await reconciling.stop()
  expect(await call('digester', digested)).toMatchObject({ outcome: 'OK' })
})

test('a pool ends when it is told to, and when its parent is gone', async () => {
  const other = await startPool(0)
  const told = once(other.child, 'exit')
  other.child.kill('SIGTERM')
  expect(await told).toEqual([0, null])
  const orphaned = once(pool.child, 'exit')
  pool.child.disconnect()
  expect(await orphaned).toEqual([0, null])
})
