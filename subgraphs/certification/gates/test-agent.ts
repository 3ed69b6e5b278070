import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { Keys } from '@community/infra/keys.ts'
import { z } from 'zod'
import type { ExaminedAgent } from '../agent.ts'

/** What is wrong with the agent. */
export type Fault =
  | 'wrong output'
  | 'answers what it should refuse'
  | 'breaks down on bad input'
  | 'needs no token'
  | 'hangs'
  | 'hangs when called'
  | 'forgets a capability in its card'
  | 'has half a card'
  | 'knows every method'
  | 'wrong output beyond its examples'
  | 'answers a repetition anew'
  | 'answers differently each time'

const request = z.object({
  id: z.unknown(),
  method: z.string(),
  params: z.object({
    message: z.object({ parts: z.array(z.object({ data: z.object({ input: z.unknown() }) })) }).optional(),
  }),
})

const number = { type: 'number' }
const examples = [1, 2, 3].map((x) => ({ description: `What is twice ${x}?`, input: { x } }))

/** Doubles numbers over A2A 1.0, or fails in one way. */
export async function startTestAgent(keys: Keys, id: string, fault?: Fault) {
  let calls = 0
  const answer = async (message: IncomingMessage, base: string): Promise<[number, unknown]> => {
    if (fault === 'hangs') return await new Promise(() => undefined)
    if (message.url?.endsWith('/.well-known/agent-card.json')) return [200, cardOf(base, fault)]
    const token = message.headers.authorization?.slice('Bearer '.length) ?? ''
    const verified = await keys.verify(token, { audience: `agent:${id}` }).catch(() => null)
    if (!verified && fault !== 'needs no token') return [401, { error: 'who are you?' }]
    const { method, params, id: requestId } = request.parse(await json(message))
    const reply = (rest: object): [number, unknown] => [200, { jsonrpc: '2.0', id: requestId, ...rest }]
    if (method !== 'SendMessage' && fault !== 'knows every method')
      return reply({ error: { code: -32601, message: `no method ${method}` } })
    calls++
    if (fault === 'hangs when called') return await new Promise(() => undefined)
    const input = z.strictObject({ x: z.number() }).safeParse(params.message?.parts[0]?.data.input)
    if (!input.success && fault === 'breaks down on bad input') return [500, 'a stack trace']
    if (!input.success && fault !== 'answers what it should refuse')
      return reply({ result: { task: taskOf('TASK_STATE_REJECTED', 'x: expected a number') } })
    const x = input.data?.x ?? 0
    const isAnew = fault === 'answers a repetition anew' || fault === 'answers differently each time'
    const doubled = isAnew ? calls : x * 2
    const isWrong =
      fault === 'wrong output' || (fault === 'wrong output beyond its examples' && ![1, 2, 3].includes(x))
    const data = isWrong ? { doubled: String(doubled) } : { doubled }
    const artifacts = [{ artifactId: 'output', parts: [{ data }] }]
    return reply({ result: { task: { ...taskOf('TASK_STATE_COMPLETED', 'done'), artifacts } } })
  }
  const server = createServer((message, response) => {
    void answer(message, endpoint).then(([status, body]) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const endpoint = `http://127.0.0.1:${port}/a2a/${id}`
  return {
    agent: testAgent(id, endpoint),
    calls: () => calls,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** As the graph tells of it. */
export function testAgent(id: string, endpoint: string | null) {
  const capability = {
    name: 'double',
    description: 'Doubles a number.',
    input: { type: 'object', properties: { x: number }, required: ['x'], additionalProperties: false },
    output: { type: 'object', properties: { doubled: number }, required: ['doubled'] },
    examples,
  }
  return {
    id,
    version: '1.0.0',
    deployedVersion: endpoint === null ? null : '1.0.0',
    endpoint,
    status: 'ACTIVE',
    organizationId: 'ossa',
    visibility: 'PUBLIC' as const,
    pool: { name: 'community' },
    versions: { edges: [] as { node: { version: string; manifest: unknown } }[] },
    capabilities: [capability] as [typeof capability],
    manifest: {
      apiVersion: 'ossa/v0.5',
      kind: 'Agent',
      metadata: {
        name: id,
        version: '1.0.0',
        description: 'Doubles numbers, for whoever has to test a certification.',
      },
      spec: {
        type: 'worker',
        subtype: 'worker.arithmetic',
        role: 'You double numbers.',
        capabilities: [capability] as [typeof capability],
      },
    },
  } satisfies ExaminedAgent
}

const cardOf = (url: string, fault: Fault | undefined) => ({
  name: 'doubler',
  description: 'Doubles numbers.',
  ...(fault !== 'has half a card' && { version: '1.0.0' }),
  supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: { streaming: false },
  defaultInputModes: ['application/json'],
  defaultOutputModes: ['application/json'],
  skills: [
    {
      id: fault === 'forgets a capability in its card' ? 'other' : 'double',
      name: 'double',
      description: 'Doubles.',
      tags: ['worker'],
    },
  ],
})

const taskOf = (state: string, text: string) => ({
  id: 'task',
  contextId: 'context',
  status: { state, message: { messageId: 'm', role: 'ROLE_AGENT', parts: [{ text }] } },
})
