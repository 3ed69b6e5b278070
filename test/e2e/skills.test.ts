import { isDeepStrictEqual } from 'node:util'
import { openKeys } from '@community/infra/keys.ts'
import { invoke } from '@community/subgraphs/kit/invoke.ts'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { expect, inject, test } from 'vitest'
import { ask } from '../client.ts'
import { loopback } from '../outbound.ts'

const world = inject('world')

type Agents = {
  agents: {
    edges: {
      node: {
        id: string
        endpoint: string | null
        capabilities: { name: string; input: object; output: object; examples: { input: unknown }[] }[]
      }
    }[]
  }
}

// What the graph tells is the same for every request while nothing is deployed; their tests are in skills/.
const asksTheGraph = new Set(['hourly-usage-reporter', 'community-analytics'])

test('every capability of all 150 agents answers over A2A as its schema says, and otherwise for other input', async () => {
  const { data, errors } = await ask<Agents>(
    world.graphqlUrl,
    '{ agents(first: 200, filter: { status: [ACTIVE] }) { edges { node { id endpoint capabilities { name input output examples { input } } } } } }',
  )
  expect(errors).toBeUndefined()
  const keys = await openKeys(world.keysDir, 'internal')
  const faults: string[] = []
  let calls = 0
  let alike = 0
  const agents = data?.agents.edges.map((edge) => edge.node) ?? []
  for (const { id: agentId, endpoint, capabilities } of agents)
    for (const { name: capability, output: schema, examples } of capabilities) {
      const ajv = new Ajv2020({ strict: false })
      formats.default(ajv)
      const validate = ajv.compile(schema)
      const outputs: unknown[] = []
      for (const { input } of examples) {
        const answer = await invoke({
          endpoint: endpoint ?? '',
          outbound: loopback,
          agentId,
          capability,
          input,
          keys,
          caller: 'tester',
          timeoutMs: 15_000,
          maxBytes: 1_000_000,
        })
        calls++
        if (answer.outcome !== 'OK') faults.push(`${agentId} ${capability}: ${answer.error}`)
        else if (!validate(answer.output))
          faults.push(`${agentId} ${capability}: ${ajv.errorsText(validate.errors)}`)
        else outputs.push(answer.output)
      }
      if (outputs.every((output) => isDeepStrictEqual(output, outputs[0]))) {
        alike++
        if (!asksTheGraph.has(agentId.split('/').at(-1) ?? ''))
          faults.push(`${agentId} ${capability}: answers all requests alike`)
      }
    }
  expect(faults).toEqual([])
  expect(agents).toHaveLength(150)
  expect(calls).toBeGreaterThan(450)
  expect(alike).toBeLessThan(5)
})
