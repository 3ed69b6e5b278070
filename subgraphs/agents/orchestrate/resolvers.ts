import { requireFilter, text } from '../../kit/arguments.ts'
import { badInput, conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { type Principal, requireOrganization, requireScope } from '../../kit/principal.ts'
import type { Context } from '../context.ts'
import { requireVisible } from '../register.ts'
import type { Resolvers } from '../schema.generated.ts'
import type { RunDefinition } from './check.ts'
import { definitionNames, definitionsFolder, readDefinition, readPlan } from './definition.ts'
import { grantTokens, maxAllocated } from './grants.ts'
import { refusal } from './source.ts'
import {
  decideStep,
  insertRun,
  type RunRow,
  requestCancellation,
  requestPause,
  runPage,
  type StepRow,
} from './store.ts'
import { checkedPlan, type Submission } from './submission.ts'
import { tokenBudget } from './transition.ts'

export const resolvers = {
  Query: {
    executionPlan: async (_, { id }, { runs }) => await runs.load(text(id, 'id')),
    async executionPlans(_, { filter, ...args }, { db }) {
      const page = pageArgs(args, { default: 20, place: places.bigint })
      const { rows, totalCount } = await runPage(db, requireFilter(filter), page)
      return connection(rows, totalCount, page, ({ sequence }) => [sequence])
    },
  },

  Mutation: {
    async startPlan(_, { definition: name }, context) {
      const { principal, db, home, fleet } = context
      requireScope(principal, 'agents:deploy')
      const organizationId = requireOrganization(principal)
      // A run acts for the owners of all the fleet's agents: it is not for everybody to start.
      if (organizationId !== home) throw forbidden(`runs are started by the organization ${home}`)
      const names = await definitionNames(definitionsFolder)
      if (!names.includes(name))
        throw badInput(
          `there is no plan definition ${name}: expected ${names.join(' or ')}`,
          'definition',
          names.join(' or '),
        )
      const written = await readDefinition(definitionsFolder, name)
      requireVisible(principal, written.plan.visibility)
      const { definition } = await checkedPlan(db, fleet, organizationId, written)
      return await startedRun(context, organizationId, definition)
    },
    async submitWorkflow(_, { source, dryRun }, context) {
      const { principal, db, home, fleet } = context
      requireScope(principal, 'agents:deploy')
      const organizationId = requireOrganization(principal)
      if (organizationId !== home) throw forbidden(`runs are started by the organization ${home}`)
      const written = readPlan(source, 'source', 'source')
      const { name, visibility } = written.plan
      requireVisible(principal, visibility)
      if ((await definitionNames(definitionsFolder)).includes(name))
        throw refusal(written.source, [
          { path: ['name'], expected: `a name of its own: ${name} is started by startPlan` },
        ])
      const { definition, steps } = await checkedPlan(db, fleet, organizationId, written)
      if (dryRun) return { plan: null, steps }
      return { plan: await startedRun(context, organizationId, definition), steps }
    },
    async pausePlan(_, { id }, context) {
      await goingRun(context, id)
      await context.mutate((tx) => requestPause(tx, id, true))
      context.wake()
      return await requiredRun(context.runs.clear(id), id)
    },
    async resumePlan(_, { id }, context) {
      await goingRun(context, id)
      await context.mutate((tx) => requestPause(tx, id, false))
      context.wake()
      return await requiredRun(context.runs.clear(id), id)
    },
    async approveStep(_, { stepId, approved, comment }, context) {
      const { principal, stepsById, mutate, wake } = context
      const step = await requiredStep(stepsById, text(stepId, 'stepId', 500))
      await ownRun(context, step.runId)
      requirePerson(principal)
      const said = comment ? text(comment, 'comment', 1_000) : null
      const decision = { approved, by: principal.subject, comment: said }
      const isHeard = await mutate((tx) => decideStep(tx, step, decision))
      wake()
      const decided = await requiredStep(stepsById.clear(stepId), stepId)
      if (!isHeard && decided.awaitsTokens !== null)
        throw conflict(`${stepId} waits for tokens: grantTokens gives them`)
      if (!isHeard) throw conflict(`${stepId} is ${decided.status}: it waits for nobody's consent`)
      return decided
    },
    async grantTokens(_, { planId, tokens, reason }, context) {
      await goingRun(context, planId)
      const { principal, mutate, wake, runs, grants } = context
      requirePerson(principal)
      if (tokens < 1) throw badInput('tokens does not fit', 'tokens', 'at least 1')
      const said = text(reason, 'reason', 1_000)
      const isGranted = await mutate((tx) =>
        grantTokens(tx, planId, { tokens, reason: said, by: principal.subject }),
      )
      grants.clear(planId)
      const run = await requiredRun(runs.clear(planId), planId)
      if (!isGranted && run.finishedAt !== null) throw conflict(`${planId} has ended: it is ${run.status}`)
      if (!isGranted)
        throw badInput(
          `${planId} would have more than ${maxAllocated} tokens`,
          'tokens',
          `${maxAllocated} in all at most`,
        )
      wake()
      return run
    },
    async cancelPlan(_, { id }, context) {
      const { finishedAt, status } = await ownRun(context, id)
      if (finishedAt !== null && status !== 'CANCELLED') throw conflict(`${id} has ended: it is ${status}`)
      await context.mutate((tx) => requestCancellation(tx, id))
      context.wake()
      return await requiredRun(context.runs.clear(id), id)
    },
  },

  WorkflowSubmission: {
    steps({ steps }: Submission, args) {
      const page = pageArgs(args, { max: 500, default: 100, place: places.bigint })
      const from = page.after ? Number(page.after[0]) : 0
      const numbered = steps.map((step, index) => ({ ...step, number: index + 1 }))
      return connection(numbered.slice(from, from + page.first + 1), steps.length, page, ({ number }) => [
        number,
      ])
    },
    leastTokens: ({ steps }) => steps.reduce((sum, { leastTokens }) => sum + leastTokens, 0),
    greatestTokens: ({ steps }) => steps.reduce((sum, { greatestTokens }) => sum + greatestTokens, 0),
  },

  ExecutionPlan: {
    __resolveReference: async ({ id }, { runs }) => await runs.load(id),
    phases: async ({ id }, _, { phases }) => await phases.load(id),
    tokenBudget: (run) => tokenBudget(run),
    tokenGrants: async ({ id }, _, context) =>
      (await isOwn(context, id)) ? await context.grants.load(id) : null,
    convergence: ({ criteria }) => ({ met: criteria.every(({ met }) => met), criteria }),
    progress: ({ done, failed, total }) => ({ done, failed, total }),
    async steps({ id }, { filter, ...args }, { steps }) {
      const page = pageArgs(args, { max: 500, default: 100, place: places.bigint })
      const { rows, totalCount } = await steps.load({ id, page: { ...page, filter: requireFilter(filter) } })
      return connection(rows, totalCount, page, ({ ordinal }) => [ordinal])
    },
  },

  PlanPhase: { progress: ({ done, failed, total }) => ({ done, failed, total }) },

  PlanStep: {
    __resolveReference: async ({ id }, { stepsById }) => await stepsById.load(id),
    agent: async ({ agentId }, _, { agents }) => (agentId === null ? null : await agents.load(agentId)),
    // What was said is for those who asked, also where the run is for everybody to see.
    output: async ({ id, runId }, _, context) =>
      (await isOwn(context, runId)) ? await context.outputs.load(id) : null,
    async decision({ runId, approved, decidedBy: by, decidedAt: at, comment }, _, context) {
      if (approved === null || by === null || at === null || !(await isOwn(context, runId))) return null
      return { approved, by, at, comment }
    },
  },

  DeploymentStatus: {
    async __resolveReference({ planId }, { runs }) {
      const run = await runs.load(text(planId, 'planId'))
      if (!run) return null
      const { version, updatedAt } = run
      return { planId, plan: run, step: null, phase: null, transition: null, version, at: updatedAt }
    },
  },
} satisfies Resolvers

const going: readonly string[] = ['PENDING', 'RUNNING', 'PAUSED']

const isOwn = async ({ runs, principal }: Context, runId: string): Promise<boolean> =>
  (await runs.load(runId))?.organizationId === principal.organization

async function startedRun(
  { principal, mutate, runs, wake }: Context,
  organizationId: string,
  definition: RunDefinition,
): Promise<RunRow> {
  const started = await mutate(async (tx) => {
    const run = await insertRun(tx, { definition, organizationId, startedBy: principal.subject })
    // As one that its plan says is PRIVATE: it is so where an agent is.
    if ('visibility' in run) requireVisible(principal, run.visibility)
    return run
  })
  if ('going' in started) throw conflict(`${started.going} is going: wait for its end or cancel it`)
  wake()
  return await requiredRun(runs, started.id)
}

/** Refuses a caller without the scope, runs of others, and those that have ended. */
async function goingRun(context: Context, id: string): Promise<void> {
  const { status } = await ownRun(context, id)
  if (!going.includes(status)) throw conflict(`${id} has ended: it is ${status}`)
}

function requirePerson({ subject }: Principal): void {
  if (subject.startsWith('agent:')) throw forbidden('this is for a person to decide')
}

async function ownRun({ principal, runs }: Context, id: string): Promise<RunRow> {
  requireScope(principal, 'agents:deploy')
  const organizationId = requireOrganization(principal)
  const run = await requiredRun(runs, text(id, 'id'))
  if (run.organizationId !== organizationId) throw forbidden(`${id} was started by another organization`)
  return run
}

async function requiredStep(
  steps: { load(id: string): Promise<StepRow | null> },
  id: string,
): Promise<StepRow> {
  const step = await steps.load(id)
  if (!step) throw notFound('step', id)
  return step
}

async function requiredRun<Row>(runs: { load(id: string): Promise<Row | null> }, id: string): Promise<Row> {
  const run = await runs.load(id)
  if (!run) throw notFound('run', id)
  return run
}
