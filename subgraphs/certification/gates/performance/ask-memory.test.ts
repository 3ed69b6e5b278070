import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { expect, test } from 'vitest'
import { graphClient } from '../../../kit/graph.ts'
import { testAgent } from '../test-agent.ts'
import { askMemory } from './ask-memory.ts'

const reading = {
  version: '1.0.0',
  calls: 10,
  errors: 0,
  emptyBytes: 1,
  halfwayBytes: 2,
  afterBytes: 2,
  mostBytes: 3,
  problem: null,
}
const measured = { data: { measureAgentMemory: reading } }
const refusal = (message: string, code: string) => ({
  data: null,
  errors: [{ message, extensions: { code } }],
})
const busy = refusal('the pool measures another agent', 'UNAVAILABLE')

/** A graph that answers with these in turns, and the last of them again and again; tells who asked for what. */
async function graphWith(...answers: object[]) {
  const stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'memory-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const asked: { variables: unknown; claims: unknown }[] = []
  const [internal, issuer, certificate] = [
    await openKeys(folder, 'internal'),
    await openKeys(folder, 'issuer'),
    await openKeys(folder, 'certificate'),
  ]
  const answer = async (request: IncomingMessage) => {
    const { variables } = (await json(request)) as { variables: unknown }
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    asked.push({ variables, claims: await issuer.verify(token, { audience: 'community' }) })
    return JSON.stringify(answers[Math.min(asked.length, answers.length) - 1])
  }
  const server = createServer((request, response) => {
    void answer(request).then((text) => response.end(text))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stack.defer(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
  const floor = {
    config: readConfig({ KEYS_DIR: folder, GATEWAY_URL: url }),
    keys: { internal, issuer, certificate },
    graph: graphClient({ url, log: createLog('test', 'silent') }),
  }
  const ask = (forMs: number) =>
    askMemory(
      floor,
      'agent:certification-validator',
      forMs,
    )({ ...testAgent('doubler', null), organizationId: 'vega' }, new AbortController().signal)
  return { ask, asked, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test("it is asked for as an administrator of the agent's owner, again while the pool is busy", async () => {
  await using graph = await graphWith(busy, measured)
  expect(await graph.ask(10_000)).toEqual(reading)
  expect(graph.asked).toHaveLength(2)
  expect(graph.asked[1]).toMatchObject({
    variables: { id: 'doubler' },
    claims: { sub: 'agent:certification-validator', org: 'vega', scope: 'org:admin' },
  })
})

test('a refusal for good is the reason', async () => {
  await using graph = await graphWith(refusal('doubler runs elsewhere', 'CONFLICT'))
  expect(await graph.ask(10_000)).toBe('doubler runs elsewhere')
  expect(graph.asked).toHaveLength(1)
})

test('a pool that stays busy is no reason: whoever certifies has to come again', async () => {
  await using graph = await graphWith(busy)
  await expect(graph.ask(0)).rejects.toMatchObject({ name: 'GraphError', codes: ['UNAVAILABLE'] })
})
