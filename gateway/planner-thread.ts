/** The thread behind planner.ts: builds the query graph once, then answers one operation after the other. */
import { parentPort, workerData } from 'node:worker_threads'
import { GraphQLError, parse } from 'graphql'
import { type Plan, planOperation } from './plan/plan.ts'
import { readPlanner } from './plan/supergraph.ts'
import type { PlanReply, PlanRequest, ThreadReady } from './planner.ts'

const { sdl } = workerData as { sdl: string }
const { planner, facts } = readPlanner(sdl)

parentPort?.on('message', (request: PlanRequest) => {
  parentPort?.postMessage(reply(request))
})
parentPort?.postMessage({ facts } satisfies ThreadReady)

function reply({ id, text, labels }: PlanRequest): PlanReply {
  try {
    const plan: Plan = planOperation(planner, parse(text, { noLocation: true }), { labels })
    return { id, plan }
  } catch (error) {
    if (error instanceof GraphQLError) {
      const { code } = error.extensions
      return { id, refused: error.message, code: typeof code === 'string' ? code : 'OPERATION_TOO_COMPLEX' }
    }
    return { id, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
