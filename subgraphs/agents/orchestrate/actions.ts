import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction } from '@community/infra/postgres.ts'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { z } from 'zod'
import { GraphError } from '../../kit/graph.ts'
import { invoke, type Usage } from '../../kit/invoke.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { countTokens } from '../../kit/tokens.ts'
import { askFor, orchestrator } from './ask.ts'
import type { Budget } from './budget.ts'
import type { Action } from './definition.ts'
import type { FleetAgent } from './fleet.ts'
import { outcomeOf } from './store.ts'

export type Work = {
  floor: Floor
  stepId: string
  agent: FleetAgent
  budget: Budget
  usage: Usage
  /** Set aside for a message at most. */
  tokensPerCall: number
  signal: AbortSignal
}

/** Why a try of a step failed; may be told. */
export class StepFailed extends Error {}

/** The run's tokens are used up. */
export class BudgetExhausted extends StepFailed {}

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
// Around an answer's text come its envelope and what is repeated of the request; text has about four bytes a token.
const envelopeBytes = 16 * 1024
const bytesPerToken = 4

async function health(work: Work): Promise<string | null> {
  const { agent, floor, budget, stepId, usage, signal } = work
  const { endpoint, pool, visibility } = await whereItRuns(work)
  const reserved = Math.min(work.tokensPerCall, agent.tokensPerCall ?? work.tokensPerCall)
  const { capability, input } = agent
  const tokensIn = countTokens(JSON.stringify({ capability, input }))
  if (tokensIn >= reserved)
    throw new StepFailed(`its first example alone has ${tokensIn} tokens, a message may have ${reserved}`)
  if (!(await budget.reserve(stepId, reserved)))
    throw new BudgetExhausted(`the token budget has less than ${reserved} left`)
  const invocation = await invoke({
    endpoint,
    agentId: agent.id,
    capability,
    input,
    caller: orchestrator,
    keys: floor.keys.internal,
    signal,
    timeoutMs: callWithinMs,
    maxBytes: reserved * bytesPerToken + envelopeBytes,
  })
  // Given up, and not measured: who takes the run over counts what was set aside.
  signal.throwIfAborted()
  const over = await budget.settle(stepId, invocation.tokensIn + invocation.tokensOut)
  usage.record(invocation, { pool, organization: agent.organizationId, visibility })
  if (over > 0) throw new BudgetExhausted(`the answer had ${over} tokens more than the token budget had left`)
  if (invocation.outcome !== 'OK')
    throw new StepFailed(`${invocation.outcome}: ${invocation.error ?? 'no reason was given'}`)
  const violation = violationOf(agent.output, invocation.output)
  if (violation !== null) throw new StepFailed(`the answer does not fit the declared output: ${violation}`)
  return null
}

async function whereItRuns(work: Work) {
  const query = 'query ($id: ID!) { agent(id: $id) { endpoint visibility pool { name } } }'
  const { agent } = z
    .object({
      agent: z
        .object({
          endpoint: z.string().nullable(),
          visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
          pool: z.object({ name: z.string() }).nullable(),
        })
        .nullable(),
    })
    .parse(await ask(work, query, { id: work.agent.id }))
  if (!agent?.endpoint) throw new StepFailed('it has no endpoint: nothing runs')
  return { endpoint: agent.endpoint, pool: agent.pool?.name ?? null, visibility: agent.visibility }
}

function violationOf(schema: Record<string, unknown>, output: unknown): string | null {
  const ajv = new Ajv2020({ strict: false, logger: false })
  formats.default(ajv)
  return ajv.validate(schema, output) ? null : ajv.errorsText(ajv.errors, { dataVar: 'output' })
}

const certifyWithinMs = 120_000
const lookEveryMs = 100
const askEveryMs = 5_000

const certification = z.object({ id: z.string(), status: z.string(), reasons: z.array(z.string()) })

async function certify(work: Work): Promise<string | null> {
  const { agent } = work
  const held = z
    .object({
      agent: z
        .object({
          certification: z.object({ status: z.string(), agentVersion: z.string().nullable() }).nullable(),
        })
        .nullable(),
    })
    .parse(
      await ask(work, 'query ($id: ID!) { agent(id: $id) { certification { status agentVersion } } }', {
        id: agent.id,
      }),
    ).agent?.certification
  if (held?.status === 'CERTIFIED' && held.agentVersion === agent.version)
    return `version ${agent.version} is certified already`
  const request = `mutation ($id: ID!) {
    requestCertification(agentId: $id, level: BRONZE) { id status reasons }
  }`
  const { requestCertification } = z
    .object({ requestCertification: certification })
    .parse(await ask(work, request, { id: agent.id }))
  const { status, reasons } = await certificationEnd(work, requestCertification)
  if (status !== 'CERTIFIED')
    throw new StepFailed(`${status}: ${reasons.join('; ') || 'no reason was given'}`)
  return null
}

/** Told by an event; asked for now and then, so that one that never comes stalls nothing. */
async function certificationEnd(work: Work, requested: z.output<typeof certification>) {
  const { floor, signal } = work
  const { id } = requested
  const deadline = Date.now() + certifyWithinMs
  let askAt = Date.now() + askEveryMs
  let known: { status: string; reasons: string[] } = requested
  while (known.status === 'REQUESTED' || known.status === 'RUNNING') {
    if (Date.now() > deadline)
      throw new StepFailed(`the certification ${id} has not ended within ${certifyWithinMs} ms`)
    await sleep(lookEveryMs, undefined, { signal })
    const told = await inTransaction(floor.pool, internalSettings, (tx) => outcomeOf(tx, id))
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
