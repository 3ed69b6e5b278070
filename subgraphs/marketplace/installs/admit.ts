import type { Transaction } from '@community/infra/postgres.ts'
import { text } from '../../kit/arguments.ts'
import { type CatalogPolicy, policyRefusal } from '../../kit/catalog-policy.ts'
import { badInput, conflict, forbidden, notFound } from '../../kit/errors.ts'
import type { Context } from '../context.ts'
import type { AgentFacts } from '../facts.ts'
import { policyOf } from '../policies/store.ts'
import type { ListingRow } from '../store.ts'
import { levelInForce } from './store.ts'

/** Refuses a listing that is not to be chosen any more, and names what to take instead. */
export async function requireCurrent(
  { listings }: Context,
  { id, deprecatedAt, deprecationReason, successorId }: ListingRow,
): Promise<void> {
  if (deprecatedAt === null) return
  // One that the caller may not see is not named.
  const successor = successorId === null ? null : await listings.load(successorId)
  const instead = successor ? `; install ${successor.id} instead` : ''
  throw conflict(`${id} is deprecated, ${deprecationReason}${instead}`)
}

/** As the graph tells the caller now, who may not see it any more. */
export async function agentNow({ facts, pause }: Context, agentId: string): Promise<AgentFacts> {
  await pause()
  const agent = await facts(agentId)
  if (!agent) throw notFound('agent', agentId)
  if (agent.retired) throw conflict(`${agentId} is retired`)
  return agent
}

/** The one that was asked for, or the one that the agent has now. */
export async function chosenVersion(
  { hasVersion }: Context,
  { agentId, version }: AgentFacts,
  asked: string | null,
): Promise<string> {
  if (asked === null) {
    if (version === null) throw conflict(`${agentId} tells no version: name one`)
    return version
  }
  const chosen = text(asked, 'input.version', 200)
  if (chosen === version || (await hasVersion(agentId, chosen))) return chosen
  throw badInput(
    `${agentId} has never had the version ${chosen}`,
    'input.version',
    `a version of it${version === null ? '' : `, as ${version}`}`,
  )
}

/** Refuses what the organization's policy does not let be used. Gives the policy; null for an own agent, which it does not bind. */
export async function requireAllowed(
  tx: Transaction,
  organizationId: string,
  { agentId, organizationId: publisher, type, license, region }: AgentFacts,
): Promise<CatalogPolicy | null> {
  if (publisher === organizationId) return null
  const policy = await policyOf(tx, organizationId)
  const level = await levelInForce(tx, agentId)
  const refusal = policyRefusal(policy, { type: type.toUpperCase(), license, publisher, region, level })
  if (refusal !== null) throw forbidden(`${organizationId} may not install ${agentId}: ${refusal}`)
  return policy
}
