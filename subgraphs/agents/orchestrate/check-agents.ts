import { countTokens } from '../../kit/tokens.ts'
import type { PlanStepAction } from '../schema.generated.ts'
import type { PlannedAgent } from './check.ts'
import type { PlanDefinition, PlanStepDefinition } from './definition.ts'
import { dependenciesOf, type Placed } from './dependencies.ts'
import { type KnownAgent, selected } from './known.ts'
import { type MisfitsOf, openMisfits, without } from './misfits.ts'
import type { Problem } from './source.ts'
import { strategyOf } from './strategy.ts'

/** A step as it would be run, once for each agent. */
export type Planned = {
  phase: string
  /** Null where the phase has actions. */
  name: string | null
  action: PlanStepAction
  agentId: string | null
  dependsOn: string[]
  /** Whether conditions decide if it runs. */
  conditional: boolean
  /** What its message has at least; 0 of one that may be skipped. */
  leastTokens: number
  /** Whether a person is asked for what the plan's budget lacks. */
  escalates: boolean
  /** What its tries in one iteration may take. */
  greatestTokens: number
}

type Found = {
  problems: Problem[]
  agents: Record<string, PlannedAgent[]>
  steps: Planned[]
  misfitsOf: MisfitsOf
  /** Names of steps that conditions decide of. */
  conditional: ReadonlySet<string>
}

const maxRows = 2_000

/** Whom the steps concern, whether those can do what is asked, and what it takes. */
export function checkAgents(
  plan: PlanDefinition,
  placed: readonly Placed[],
  known: ReadonlyMap<string, KnownAgent>,
): Found {
  const found: Found = {
    problems: [],
    agents: {},
    steps: [],
    misfitsOf: openMisfits(),
    conditional: conditionalSteps(placed),
  }
  for (const [index, phase] of plan.phases.entries()) {
    const { select, actions, name } = phase
    const escalates = strategyOf(plan, null) === 'escalate'
    if (select && actions) {
      const agents = selected(known, select).filter(({ inFleet }) => inFleet)
      if (agents.length === 0)
        found.problems.push({ path: ['phases', `${index}`, 'select'], expected: nobody('the fleet') })
      for (const agent of agents)
        for (const action of actions) {
          const tokens = action === 'HEALTH' ? lookTokens(plan, agent) : none
          found.steps.push({
            phase: name,
            name: null,
            action,
            agentId: agent.id,
            escalates,
            ...alone,
            ...tokens,
          })
        }
    }
    for (const each of placed) {
      // What more there is to say would take long.
      if (found.steps.length > maxRows) break
      if (each.phase === index) checkStep(plan, each, known, found)
    }
  }
  if (found.steps.length > maxRows)
    found.problems.push({
      path: ['phases'],
      expected: `at most ${maxRows} steps, each agent of a selection counted`,
    })
  return found
}

const alone = { dependsOn: [], conditional: false }
const none = { leastTokens: 0, greatestTokens: 0 }
const nobody = (of: string) => `labels that an agent of ${of} has: no agent is selected`

function checkStep(
  plan: PlanDefinition,
  { step, phase, path }: Placed,
  known: ReadonlyMap<string, KnownAgent>,
  found: Found,
): void {
  const tell = (at: string[], expected: string) => found.problems.push({ path: [...path, ...at], expected })
  const agents = agentsOf(step, known, tell)
  const dependsOn = dependenciesOf(step)
  const conditional = found.conditional.has(step.name)
  const strategy = strategyOf(plan, step)
  const escalates = strategy === 'escalate'
  const row = { phase: plan.phases[phase]?.name ?? '', name: step.name, dependsOn, conditional, escalates }
  const action = step.action.toUpperCase() as PlanStepAction
  const attempts = 'retries' in step ? (step.retries?.attempts ?? 1) : 1
  const counted = ({ leastTokens, greatestTokens }: typeof none) => ({
    leastTokens: conditional ? 0 : leastTokens,
    greatestTokens: greatestTokens * attempts,
  })
  found.agents[step.name] = agents.map((agent) => planned(plan, step, agent, known))
  if (step.action === 'invoke') {
    const { tokens } = step
    const tokenBudget = escalates ? Number.POSITIVE_INFINITY : plan.tokenBudget
    // Who takes less is found when it comes to that: the message is the same.
    const delegates = strategy === 'delegate'
    if (tokens !== undefined && tokens > tokenBudget && !delegates)
      tell(['tokens'], `at most ${tokenBudget}, the plan's tokenBudget`)
    if (delegates && step.compensate && step.compensate.agent === undefined)
      tell(['compensate'], 'an agent that undoes it, whichever has done it')
    for (const agent of agents) {
      const { tokens: greatestTokens, undoTokens } = planned(plan, step, agent, known)
      const leastTokens = checkMessage(step, agent, greatestTokens, ['input'], tell, found)
      const needed = (delegates ? leastTokens : greatestTokens) + undoTokens
      if ((tokens ?? 0) <= tokenBudget && needed > tokenBudget)
        tell(
          [],
          `a tokenBudget of the plan of at least ${needed}, which asking ${agent.id}${undoTokens > 0 ? ' and undoing it' : ''} may take`,
        )
      found.steps.push({ ...row, action, agentId: agent.id, ...counted({ leastTokens, greatestTokens }) })
    }
  } else if (step.action === 'wait' || step.action === 'approve' || step.action === 'gate') {
    found.steps.push({ ...row, action, agentId: null, ...none })
  } else {
    for (const agent of agents) {
      if (!agent.inFleet)
        tell([target(step)], `an agent of the fleet: ${agent.id} is none, ${step.action} acts on those`)
      const tokens = step.action === 'health' ? counted(lookTokens(plan, agent)) : none
      found.steps.push({ ...row, action, agentId: agent.id, ...tokens })
    }
  }
  if ('compensate' in step && step.compensate) checkCompensation(plan, step, agents, known, tell, found)
}

type Tell = (at: string[], expected: string) => void

const target = (step: PlanStepDefinition) => ('select' in step && step.select ? 'select' : 'agent')

function agentsOf(
  step: PlanStepDefinition,
  known: ReadonlyMap<string, KnownAgent>,
  tell: Tell,
): KnownAgent[] {
  if (step.action === 'wait' || step.action === 'approve') return []
  const { agent, select } = step
  if (step.action === 'gate') {
    if (!step.criteria && !step.expect) tell([], 'criteria of agents, or what it expects of earlier steps')
    if (!step.criteria && (agent !== undefined || select)) tell([], 'criteria that its agents are held to')
    if (!step.criteria) return []
  }
  if (agent !== undefined && select) tell(['select'], 'either an agent or a selection, not both')
  if (agent === undefined && !select) tell([], 'an agent, or a selection of agents')
  if (agent !== undefined) {
    const one = known.get(agent)
    if (!one) tell(['agent'], `an agent that is registered or of the fleet: ${agent} is not known to you`)
    return one ? [one] : []
  }
  const ofFleet = step.action !== 'invoke' && step.action !== 'gate'
  const agents = select ? selected(known, select).filter(({ inFleet }) => inFleet || !ofFleet) : []
  if (select && agents.length === 0) tell(['select'], nobody(ofFleet ? 'the fleet' : 'those known to you'))
  return agents
}

function planned(
  plan: PlanDefinition,
  step: PlanStepDefinition,
  agent: KnownAgent,
  known: ReadonlyMap<string, KnownAgent>,
): PlannedAgent {
  const { id, organizationId, version } = agent
  const undo = 'compensate' in step ? step.compensate : undefined
  const tokens = ('tokens' in step ? step.tokens : undefined) ?? perCall(plan, agent)
  const undoTokens = undo ? perCall(plan, known.get(undo.agent ?? id) ?? agent) : 0
  return { id, organizationId, version, tokens, undoTokens }
}

const perCall = ({ tokensPerCall }: PlanDefinition, agent: KnownAgent) =>
  Math.min(tokensPerCall, agent.tokensPerCall ?? tokensPerCall)

function lookTokens(plan: PlanDefinition, agent: KnownAgent) {
  if (!agent.example) return none
  return { leastTokens: countTokens(JSON.stringify(agent.example)) + 1, greatestTokens: perCall(plan, agent) }
}

/** The tokens of the message, and one of its answer. */
function checkMessage(
  { capability: name, input: written }: { capability: string; input?: unknown },
  agent: KnownAgent,
  tokens: number,
  at: string[],
  tell: Tell,
  { misfitsOf }: Found,
): number {
  const capability = agent.capabilities.find((each) => each.name === name)
  if (!capability) {
    const names = agent.capabilities.map((each) => each.name).join(', ')
    tell([...at.slice(0, -1), 'capability'], `a capability of ${agent.id}: ${names || 'it has none'}`)
    return 0
  }
  const input = written ?? {}
  for (const { place, expected } of misfitsOf(capability.input, input))
    tell([...at, ...place], `what ${name} of ${agent.id} takes: ${expected}`)
  const message = countTokens(JSON.stringify({ capability: name, input: without(input) }))
  if (message >= tokens)
    tell(at, `a shorter message: it has ${message} tokens, with its answer it may have ${tokens}`)
  return message + 1
}

function checkCompensation(
  plan: PlanDefinition,
  step: PlanStepDefinition & {
    compensate?: { agent?: string | undefined; capability: string; input?: unknown } | undefined
  },
  agents: readonly KnownAgent[],
  known: ReadonlyMap<string, KnownAgent>,
  tell: Tell,
  found: Found,
): void {
  const { compensate } = step
  if (!compensate) return
  const other = compensate.agent === undefined ? null : known.get(compensate.agent)
  if (other === undefined)
    tell(
      ['compensate', 'agent'],
      `an agent that is registered or of the fleet: ${compensate.agent} is not known to you`,
    )
  // Nobody asks when it comes to that: it has to be undone then.
  if (other?.refusal) tell(['compensate', 'agent'], `an agent that may be called: ${other.refusal}`)
  for (const agent of other === null ? agents : other ? [other] : [])
    checkMessage(compensate, agent, perCall(plan, agent), ['compensate', 'input'], tell, found)
}

/** The names of those that have conditions, and of all that wait for one of them. */
function conditionalSteps(placed: readonly Placed[]): ReadonlySet<string> {
  const dependents = Map.groupBy(
    placed.flatMap(({ step }) => dependenciesOf(step).map((name) => ({ name, dependent: step.name }))),
    ({ name }) => name,
  )
  const found = new Set(placed.flatMap(({ step }) => (step.when ? [step.name] : [])))
  // What is added while it is gone through is gone through as well.
  for (const name of found) for (const { dependent } of dependents.get(name) ?? []) found.add(dependent)
  return found
}
