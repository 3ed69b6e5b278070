import { inTransaction } from '@community/infra/postgres.ts'
import { violations } from '../../kit/json-schema.ts'
import { includes } from '../../kit/schema-inclusion.ts'
import { settingsOf } from '../../kit/subgraph.ts'
import { countTokens } from '../../kit/tokens.ts'
import { declaredTokens } from '../store.ts'
import { orchestrator, scopes } from './ask.ts'
import type { Call, Caller } from './call.ts'
import type { Execution } from './execution.ts'
import { BudgetExhausted, StepFailed } from './failure.ts'

type Schema = Record<string, unknown>
type Candidate = { id: string; tokens: number; input: Schema; output: Schema; wanted: Schema }

/**
 * Who is asked instead of the agent of the call: the one that takes the fewest tokens of those that the run's organization
 * may see, that are for no fewer than the run is, are open for use, have the capability, take the message, answer as that
 * agent would, and take no more than is left. Or the one that may have been sent the message already, whatever is left.
 * Throws StepFailed where there is none.
 */
export async function delegateFor(
  execution: Execution,
  { locate, policy }: Caller,
  call: Call,
  sentTo: string | null,
): Promise<{ id: string; tokens: number }> {
  const { agentId, organizationId, capability, input, purpose } = call
  const left = Math.max(execution.journal.left(false), 0)
  const message = countTokens(JSON.stringify({ capability, input }))
  const candidates = await candidatesFor(execution, call, { least: message + 1, most: left, sentTo })
  for (const { id, tokens, ...schemas } of candidates) {
    if (violations(schemas.input, input).length > 0 || !includes(schemas.wanted, schemas.output)) continue
    const agent = await locate({ agentId: id, organizationId, capability })
    if (!agent || agent.endpoint === null) continue
    const { standing } = agent
    const asked = { caller: orchestrator, organizationId, purpose, agent, capability, standing, tokens }
    if (policy(asked) !== null) continue
    return { id, tokens }
  }
  if (sentTo !== null) throw new StepFailed(`${sentTo}, which may have been sent the message, can't be asked`)
  throw new BudgetExhausted(
    `the token budget has less than ${call.tokens} left, and there is no other open agent that has ${capability}, accepts the message, answers as ${agentId} does and declares at most ${left} tokens a call`,
  )
}

const atMost = 50

async function candidatesFor(
  { floor, claim }: Execution,
  { agentId, organizationId, capability }: Call,
  { least, most, sentTo }: { least: number; most: number; sentTo: string | null },
): Promise<Candidate[]> {
  const settings = settingsOf({ subject: orchestrator, organization: organizationId, scopes })
  return await inTransaction(floor.pool, settings, async (tx) => {
    const { rows } = await tx.query<Candidate>(
      `select agent.id, declared.tokens, capability.input, capability.output, own.output as wanted
       from agent
       join deployment on deployment.agent_id = agent.id
       join capability on capability.agent_id = agent.id and capability.name = $2
       join capability as own on own.agent_id = $1 and own.name = $2
       cross join lateral (select ${declaredTokens} as tokens) as declared
       where agent.id <> $1 and agent.status in ('ACTIVE', 'DEGRADED') and declared.tokens >= $3
         and case when $5::text is not null then agent.id = $5 else declared.tokens <= $4
           and reach_of_runs(agent, $6) >= (select reach(visibility) from run where id = $7) end
       order by declared.tokens, agent.id limit ${atMost}`,
      [agentId, capability, least, most, sentTo, organizationId, claim.id],
    )
    return rows
  })
}
