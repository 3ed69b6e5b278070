import { text } from '../../kit/arguments.ts'
import { ClientError, conflict, forbidden, notFound } from '../../kit/errors.ts'
import { requireAdministrator } from '../../kit/principal.ts'
import type { Context } from '../context.ts'
import { RuntimeError } from '../runtime/local.ts'
import type { MemoryReading } from '../runtime/memory-reading.ts'
import type { Resolvers } from '../schema.generated.ts'

/** What a pool has measured, of which agent. */
export type AgentMemory = MemoryReading & { agentId: string }

export const resolvers = {
  Mutation: {
    measureAgentMemory: async (_, { agentId }, context) => await measure(context, text(agentId, 'agentId')),
  },
  AgentMemory: { agent: async ({ agentId }, _, { agents }) => await agents.load(agentId) },
} satisfies Resolvers

async function measure(
  { principal, agents, hosting, pause }: Context,
  agentId: string,
): Promise<AgentMemory> {
  const organization = requireAdministrator(principal)
  const agent = await agents.load(agentId)
  if (!agent) throw notFound('agent', agentId)
  if (agent.organizationId !== organization) throw forbidden(`${agentId} belongs to another organization`)
  const { deployedPool: pool, deployedVersion } = agent
  if (deployedVersion === null) throw conflict(`nothing of ${agentId} runs: deploy it first`)
  if (pool === null) throw conflict(`${agentId} runs elsewhere, where nobody here can measure it`)
  // It takes seconds: nobody else shall wait for a connection meanwhile.
  await pause()
  const reading = await hosting.memory({ agentId, pool }).catch((error: unknown) => {
    if (!(error instanceof RuntimeError)) throw error
    if (error.code === 'REFUSED') throw conflict(error.message)
    throw Object.assign(new ClientError('UNAVAILABLE', error.message), { cause: error })
  })
  return { ...reading, agentId }
}
