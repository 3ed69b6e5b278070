import { badInput, conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection } from '../../kit/page.ts'
import { requireOrganization, requireScope } from '../../kit/principal.ts'
import { pageByNumber, requireFilter, requireText } from '../arguments.ts'
import { requireVisible } from '../register.ts'
import type { Resolvers } from '../schema.generated.ts'
import { definitionNames, definitionsFolder, readDefinition } from './definition.ts'
import { insertRun, requestCancellation, runPage } from './store.ts'
import { checkedPlan } from './submission.ts'
import { tokenBudget } from './transition.ts'

export const resolvers = {
  Query: {
    executionPlan: async (_, { id }, { runs }) => await runs.load(requireText(id, 'id')),
    async executionPlans(_, { filter, ...args }, { db }) {
      const page = pageByNumber(args, { default: 20 })
      const { rows, totalCount } = await runPage(db, requireFilter(filter), page)
      return connection(rows, totalCount, page, ({ sequence }) => [sequence])
    },
  },

  Mutation: {
    async startPlan(_, { definition: name }, { principal, db, mutate, runs, home }) {
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
      const { definition } = await checkedPlan(db, home, written)
      const started = await mutate((tx) =>
        insertRun(tx, { definition, organizationId, startedBy: principal.subject }),
      )
      if ('going' in started) throw conflict(`${started.going} is going: wait for its end or cancel it`)
      return await requiredRun(runs, started.id)
    },
    async cancelPlan(_, { id }, { principal, mutate, runs }) {
      requireScope(principal, 'agents:deploy')
      const organizationId = requireOrganization(principal)
      const run = await requiredRun(runs, requireText(id, 'id'))
      if (run.organizationId !== organizationId) throw forbidden(`${id} was started by another organization`)
      if (run.finishedAt !== null && run.status !== 'CANCELLED')
        throw conflict(`${id} has ended: it is ${run.status}`)
      await mutate((tx) => requestCancellation(tx, id))
      return await requiredRun(runs.clear(id), id)
    },
  },

  ExecutionPlan: {
    __resolveReference: async ({ id }, { runs }) => await runs.load(id),
    phases: async ({ id }, _, { phases }) => await phases.load(id),
    tokenBudget: (run) => tokenBudget(run),
    convergence: ({ criteria }) => ({ met: criteria.every(({ met }) => met), criteria }),
    progress: ({ done, failed, total }) => ({ done, failed, total }),
    async steps({ id }, { filter, ...args }, { steps }) {
      const page = pageByNumber(args, { max: 500, default: 100 })
      const { rows, totalCount } = await steps.load({ id, filter: requireFilter(filter), page })
      return connection(rows, totalCount, page, ({ ordinal }) => [ordinal])
    },
  },

  PlanPhase: { progress: ({ done, failed, total }) => ({ done, failed, total }) },

  PlanStep: {
    __resolveReference: async ({ id }, { stepsById }) => await stepsById.load(id),
    agent: async ({ agentId }, _, { agents }) => (agentId === null ? null : await agents.load(agentId)),
    // An agent's answer is for those who asked, also where the run is for everybody to see.
    async output({ id, runId }, _, { principal, runs, outputs }) {
      const run = await runs.load(runId)
      return run?.organizationId === principal.organization ? await outputs.load(id) : null
    },
  },

  DeploymentStatus: {
    async __resolveReference({ planId }, { runs }) {
      const run = await runs.load(requireText(planId, 'planId'))
      if (!run) return null
      const { version, updatedAt } = run
      return { planId, plan: run, step: null, phase: null, transition: null, version, at: updatedAt }
    },
  },
} satisfies Resolvers

async function requiredRun<Row>(runs: { load(id: string): Promise<Row | null> }, id: string): Promise<Row> {
  const run = await runs.load(id)
  if (!run) throw notFound('run', id)
  return run
}
