import { setTimeout as sleep } from 'node:timers/promises'
import { inTransactions } from '@community/infra/postgres.ts'
import { z } from 'zod'
import { GraphError } from '../../kit/graph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { askFor } from './ask.ts'
import { type Caller, callAgent } from './call.ts'
import type { Action } from './definition.ts'
import { StepFailed } from './failure.ts'
import type { FleetAgent } from './fleet.ts'
import { outcomeOf } from './store.ts'

export type Work = Caller & {
  agent: FleetAgent
  /** Set aside for a message at most. */
  tokensPerCall: number
  /** The same for a try that another process takes over. */
  attempt: string
}

/** Each may be done again without a second effect; the note tells what was found done already. */
export const actions: Record<Action, (work: Work) => Promise<string | null>> = {
  DEPLOY: deploy,
  HEALTH: health,
  CERTIFY: certify,
  LIST: list,
  ACTIVATE: activate,
}

const running: readonly string[] = ['DEPLOYING', 'ACTIVE', 'DEGRADED', 'SUSPENDED']

async function deploy(work: Work): Promise<string | null> {
  const { agent } = work
  const found = z
    .object({
      agent: z
        .object({ status: z.string(), version: z.string(), deployedVersion: z.string().nullable() })
        .nullable(),
    })
    .parse(
      await ask(work, 'query ($id: ID!) { agent(id: $id) { status version deployedVersion } }', {
        id: agent.id,
      }),
    ).agent
  // Registered and deployed are two mutations: a try may have ended between them, and an older version runs still.
  const runs = found?.version === agent.version && found.deployedVersion === agent.version
  if (runs && running.includes(found.status)) return `version ${agent.version} runs already`
  await ask(work, 'mutation ($source: String!) { registerAgent(source: $source) { id } }', {
    source: agent.source,
  })
  await ask(work, 'mutation ($id: ID!) { deployAgent(agentId: $id) { id status } }', { id: agent.id })
  return null
}

const callWithinMs = 15_000

async function health(work: Work): Promise<string | null> {
  const { agent, tokensPerCall, stepId, attempt } = work
  const { id: agentId, organizationId, capability, input } = agent
  await callAgent(work, {
    agentId,
    organizationId,
    capability,
    input,
    purpose: 'HEALTH',
    tokens: Math.min(tokensPerCall, agent.tokensPerCall ?? tokensPerCall),
    timeoutMs: callWithinMs,
    idempotencyKey: `${stepId}#${attempt}`,
  })
  return null
}

const certifyWithinMs = 120_000
const lookEveryMs = 100
const askEveryMs = 5_000

const underWay: readonly string[] = ['REQUESTED', 'RUNNING']
const certification = z.object({ id: z.string(), status: z.string(), reasons: z.array(z.string()) })

async function certify(work: Work): Promise<string | null> {
  const { agent } = work
  const held = z
    .object({
      agent: z
        .object({
          certification: certification
            .extend({ level: z.string(), agentVersion: z.string().nullable() })
            .nullable(),
        })
        .nullable(),
    })
    .parse(
      await ask(
        work,
        'query ($id: ID!) { agent(id: $id) { certification { id status reasons level agentVersion } } }',
        { id: agent.id },
      ),
    ).agent?.certification
  if (held?.status === 'CERTIFIED' && held.agentVersion === agent.version)
    return `version ${agent.version} is certified already`
  // Who asked for it may have died since: it is waited for, since it may have ended before another request arrives.
  const isGoing = held?.level === 'BRONZE' && underWay.includes(held.status)
  const { status, reasons } = await certificationEnd(work, isGoing ? held : await requestedFor(work))
  if (status !== 'CERTIFIED')
    throw new StepFailed(`${status}: ${reasons.join('; ') || 'no reason was given'}`)
  return null
}

async function requestedFor(work: Work): Promise<z.output<typeof certification>> {
  const request = `mutation ($id: ID!) {
    requestCertification(agentId: $id, level: BRONZE) { id status reasons }
  }`
  const { requestCertification } = z
    .object({ requestCertification: certification })
    .parse(await ask(work, request, { id: work.agent.id }))
  return requestCertification
}

/** Told by an event; asked for now and then, so that one that never comes stalls nothing. */
async function certificationEnd(work: Work, requested: z.output<typeof certification>) {
  const { floor, signal } = work
  const { id } = requested
  const deadline = Date.now() + certifyWithinMs
  let askAt = Date.now() + askEveryMs
  let known: { status: string; reasons: string[] } = requested
  while (underWay.includes(known.status)) {
    if (Date.now() > deadline)
      throw new StepFailed(`the certification ${id} has not ended within ${certifyWithinMs} ms`)
    await sleep(lookEveryMs, undefined, { signal })
    const told = await outcomeOf(inTransactions(floor.pool, internalSettings), id)
    if (told) return told
    if (Date.now() < askAt) continue
    const query = 'query ($id: ID!) { certification(id: $id) { id status reasons } }'
    const answer = z.object({ certification: certification.nullable() }).parse(await ask(work, query, { id }))
    if (!answer.certification) throw new StepFailed(`the certification ${id} is gone`)
    known = answer.certification
    askAt = Date.now() + askEveryMs
  }
  return known
}

async function list(work: Work): Promise<string | null> {
  const { id } = work.agent
  const found = z
    .object({ agent: z.object({ listing: z.object({ id: z.string() }).nullable() }).nullable() })
    .parse(await ask(work, 'query ($id: ID!) { agent(id: $id) { listing { id } } }', { id }))
  if (found.agent?.listing) return 'it is listed already'
  await ask(work, 'mutation ($id: ID!) { publishListing(agentId: $id) { id } }', { id })
  return null
}

async function activate(work: Work): Promise<string | null> {
  const { id } = work.agent
  const found = z
    .object({ agent: z.object({ status: z.string() }).nullable() })
    .parse(await ask(work, 'query ($id: ID!) { agent(id: $id) { status } }', { id }))
  if (found.agent?.status === 'ACTIVE') return 'it is active already'
  await ask(work, 'mutation ($id: ID!) { activateAgent(agentId: $id) { id status } }', { id })
  return null
}

async function ask({ floor, agent, signal }: Work, query: string, variables: Record<string, unknown>) {
  try {
    return await askFor(floor, agent.organizationId, query, variables, signal)
  } catch (error) {
    if (error instanceof GraphError) throw new StepFailed(error.message, { cause: error })
    throw error
  }
}
