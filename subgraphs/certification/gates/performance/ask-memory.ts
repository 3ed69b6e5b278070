import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { callerToken } from '../../../kit/caller-token.ts'
import { GraphError, isAway } from '../../../kit/graph.ts'
import type { Floor } from '../../../kit/subgraph.ts'
import type { ExaminedAgent } from '../../agent.ts'

const reading = z.object({
  version: z.string(),
  calls: z.number(),
  errors: z.number(),
  emptyBytes: z.number(),
  halfwayBytes: z.number().nullable(),
  afterBytes: z.number().nullable(),
  mostBytes: z.number(),
  problem: z.string().nullable(),
})

/** As the graph tells it. */
export type Memory = z.output<typeof reading>

/** A text says why it is not measured, and never will be. Throws GraphError where it may be later. */
export type AskMemory = (agent: ExaminedAgent, signal: AbortSignal) => Promise<Memory | string>

const mutation = `mutation ($id: ID!) {
  measureAgentMemory(agentId: $id) {
    version calls errors emptyBytes halfwayBytes afterBytes mostBytes problem
  }
}`

const againMs = 1_000

/** Has the agent's memory measured, in its owner's name. Its pool measures one agent at a time: it is asked for `forMs`. */
export const askMemory =
  (floor: Pick<Floor, 'keys' | 'config' | 'graph'>, subject: string, forMs = 60_000): AskMemory =>
  async ({ id, organizationId }, signal) => {
    const until = performance.now() + forMs
    for (;;)
      try {
        const token = await callerToken(floor, { subject, organization: organizationId, administrator: true })
        const answer = await floor.graph.ask(mutation, { id }, token, signal)
        return reading.parse(answer.measureAgentMemory)
      } catch (error) {
        if (!(error instanceof GraphError)) throw error
        if (!error.codes.includes('UNAVAILABLE') && !isAway(error)) return error.message
        if (performance.now() + againMs > until) throw error
        await sleep(againMs, undefined, { signal }).catch(() => undefined)
        signal.throwIfAborted()
      }
  }
