import { z } from 'zod'
import { callerToken } from '../../kit/caller-token.ts'
import { ClientError } from '../../kit/errors.ts'
import { GraphError } from '../../kit/graph.ts'
import { isAdministrator, type Principal } from '../../kit/principal.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { agent, type Party, partyOf } from './party.ts'

const query = `query ($id: ID!) {
  agent(id: $id) {
    id version endpoint manifest reading { format profile } capabilities { name input output } certification { status level }
  }
}`

const answer = z.object({ agent: agent.nullable() })

/** As the graph tells the caller, in the order of `ids`; null where there is no such agent that it may see. */
export async function partiesFromGraph(
  floor: Floor,
  principal: Principal,
  ids: readonly string[],
): Promise<(Party | null)[]> {
  const token = await callerToken(floor, { ...principal, administrator: isAdministrator(principal) })
  return await Promise.all(
    ids.map(async (id) => {
      const told = await floor.graph.ask(query, { id }, token).catch((error: unknown) => {
        if (!(error instanceof GraphError)) throw error
        const message = `the agent ${id} can not be looked up now, try again`
        throw Object.assign(new ClientError('UNAVAILABLE', message), { cause: error })
      })
      const { agent: found } = answer.parse(told)
      return found && partyOf(found)
    }),
  )
}
