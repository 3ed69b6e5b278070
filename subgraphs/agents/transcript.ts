/** `transcript.ts AGENT… [--gateway URL]`: asks agents for each example of their manifests over A2A, and prints what was said. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { z } from 'zod'
import { graphClient } from '../kit/graph.ts'
import { openOutbound } from '../kit/outbound.ts'
import { admit, openAgentsOnly } from './admission.ts'
import { nothingSet } from './catalog-policy/standing.ts'
import type { AgentStatus } from './schema.generated.ts'

const config = readConfig()
const { values, positionals: agentIds } = parseArgs({
  options: { gateway: { type: 'string', default: config.gatewayUrl } },
  allowPositionals: true,
})
if (agentIds.length === 0) {
  console.error('usage: transcript.ts AGENT… [--gateway URL]')
  process.exit(2)
}
const graph = graphClient({ url: values.gateway, log: createLog('transcript', config.logLevel) })
const keys = await openKeys(config.keysDir ?? join(config.dataDir, 'keys'), 'internal')
const loopback = '127.0.0.0/8'
const outbound = openOutbound({ allow: [loopback, ...config.agentEndpointAllow], trusted: [] })

const query = `query ($id: ID!) {
  agent(id: $id) { id organizationId status version endpoint capabilities { name description examples { description input } } }
}`
const answered = z.object({
  agent: z
    .object({
      id: z.string(),
      organizationId: z.string(),
      status: z.custom<AgentStatus>(),
      version: z.string(),
      endpoint: z.string().nullable(),
      capabilities: z.array(
        z.object({
          name: z.string(),
          description: z.string(),
          examples: z.array(z.object({ description: z.string(), input: z.unknown() })),
        }),
      ),
    })
    .nullable(),
})
type Agent = NonNullable<z.output<typeof answered>['agent']>

let failed = false
for (const id of agentIds) {
  const { agent } = answered.parse(await graph.ask(query, { id }, null))
  if (agent?.endpoint) await converse(agent, agent.endpoint)
  else fail(`${id}: ${agent ? 'it has no endpoint, nothing runs' : 'there is no such agent for everybody'}`)
}
await outbound.destroy()
process.exit(failed ? 1 : 0)

async function converse(agent: Agent, endpoint: string): Promise<void> {
  const { id, organizationId, version, capabilities } = agent
  console.log(`# ${id} ${version}\n`)
  for (const { name: capability, description, examples } of capabilities) {
    // In its owner's name, whose limits are not asked: only the operator has the keys.
    const standing = nothingSet(agent)
    const asked = {
      caller: 'transcript',
      organizationId,
      purpose: 'AD_HOC',
      agent,
      capability,
      standing,
      tokens: 0,
    } as const
    const send = admit(openAgentsOnly, asked)
    console.log(`## ${capability}\n\n${description}\n`)
    for (const { description: question, input } of examples) {
      const answer = await send({
        endpoint,
        outbound,
        input,
        keys,
        timeoutMs: 30_000,
        maxBytes: 1_000_000,
      })
      const { outcome, output, error, latencyMs, tokensIn, tokensOut } = answer
      console.log(`${question}\n\n→ ${JSON.stringify({ capability, input })}`)
      console.log(`← ${outcome === 'OK' ? JSON.stringify(output) : `${outcome}: ${error}`}`)
      console.log(`  ${latencyMs} ms, ${tokensIn} + ${tokensOut} tokens\n`)
      if (outcome !== 'OK') failed = true
    }
  }
}

function fail(reason: string): void {
  console.error(reason)
  failed = true
}
