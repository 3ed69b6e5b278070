import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const stepSchema = z.object({
  id: z.string(),
  status: z.string(),
  attempts: z.int(),
  error: z.string().nullable(),
  startedAt: z.string().nullable(),
})
type Step = z.output<typeof stepSchema>
const planSchema = z.object({
  id: z.string(),
  status: z.string(),
  iteration: z.int(),
  maxIterations: z.int(),
  progress: z.object({ done: z.int(), failed: z.int(), total: z.int() }),
  tokenBudget: z.object({ allocated: z.int(), spent: z.int() }),
  convergence: z.object({ criteria: z.array(z.object({ name: z.string(), met: z.boolean() })) }),
  steps: z.object({ edges: z.array(z.object({ node: stepSchema })) }),
})
type Plan = z.output<typeof planSchema>
const answer = z.object({
  executionPlans: z.object({ totalCount: z.int(), edges: z.array(z.object({ node: planSchema })) }),
  agentPools: z.array(
    z.object({
      name: z.string(),
      capacity: z.int(),
      active: z.object({ totalCount: z.int() }),
      all: z.object({ totalCount: z.int() }),
    }),
  ),
})

/** How the community's plans and pools are doing: progress, budget, steps that hang or fail, and pools not up. */
export const planOverview = skill({
  name: 'plan-overview',
  configuration: z.strictObject({
    runs: z.int().min(1).max(20),
    /** A step that has been under way for longer hangs. */
    stalledAfterSeconds: z.number().min(1).max(86_400),
    stepsEach: z.int().min(1).max(20),
  }),
  input: z.strictObject({
    definition: z.string().max(100).optional().describe('Only runs of this plan definition'),
    pools: z.array(z.string().max(60)).max(10).optional().describe('Only these pools; all where left out'),
  }),
  output: z.strictObject({
    runs: z
      .array(
        z.strictObject({
          run: z.string().describe("The run's id"),
          status: z.string().describe('How far it is'),
          iteration: z.string().describe('As 1 of 5'),
          donePercent: z.number().describe('Of its steps'),
          budgetPercent: z.number().describe('Of its tokens, spent'),
          unmet: z.array(z.string()).describe('Criteria not met at the last review'),
          attention: z.array(z.string()).describe('Steps that hang or failed, with why'),
        }),
      )
      .describe('Newest first'),
    knownRuns: z.int().describe('How many there are in all'),
    pools: z
      .array(
        z.strictObject({
          pool: z.string().describe('Its name'),
          active: z.int().describe('Agents open for use'),
          placed: z.int().describe('Agents in it'),
          capacity: z.int().describe('Agents that it is made for'),
        }),
      )
      .describe('In the order of their names'),
  }),
  async run({ definition, pools }, { runs, stalledAfterSeconds, stepsEach }, context) {
    const { executionPlans, agentPools } = answer.parse(
      await context.graph(
        `query PlanOverview($filter: ExecutionPlanFilter, $runs: Int!) {
          executionPlans(filter: $filter, first: $runs) {
            totalCount
            edges {
              node {
                id status iteration maxIterations
                progress { done failed total }
                tokenBudget { allocated spent }
                convergence { criteria { name met } }
                steps(filter: { status: [RUNNING, FAILED] }, first: 100) {
                  edges { node { id status attempts error startedAt } }
                }
              }
            }
          }
          agentPools {
            name capacity
            active: agents(filter: { status: [ACTIVE] }, first: 1) { totalCount }
            all: agents(first: 1) { totalCount }
          }
        }`,
        { filter: { definition }, runs },
      ),
    )
    const stalledBefore = context.now().getTime() - stalledAfterSeconds * 1000
    return {
      runs: executionPlans.edges.map(({ node }) => summaryOf(node, stalledBefore, stepsEach)),
      knownRuns: executionPlans.totalCount,
      pools: agentPools
        .filter(({ name }) => pools === undefined || pools.includes(name))
        .map(({ name, capacity, active, all }) => ({
          pool: name,
          active: active.totalCount,
          placed: all.totalCount,
          capacity,
        }))
        .toSorted((a, b) => (a.pool < b.pool ? -1 : 1)),
    }
  },
})

const percent = (part: number, whole: number) => (whole === 0 ? 0 : rounded((100 * part) / whole, 1))

function summaryOf(plan: Plan, stalledBefore: number, stepsEach: number) {
  const { id, status, iteration, maxIterations, progress, tokenBudget, convergence, steps } = plan
  return {
    run: id,
    status,
    iteration: `${iteration} of ${maxIterations}`,
    donePercent: percent(progress.done, progress.total),
    budgetPercent: percent(tokenBudget.spent, tokenBudget.allocated),
    unmet: convergence.criteria.filter(({ met }) => !met).map(({ name }) => name),
    attention: steps.edges.flatMap(({ node }) => trouble(node, stalledBefore)).slice(0, stepsEach),
  }
}

function trouble({ id, status, attempts, error, startedAt }: Step, stalledBefore: number): string[] {
  if (status === 'FAILED') return [`${id} failed ${attempts} times: ${(error ?? 'no reason').slice(0, 120)}`]
  if (startedAt !== null && Date.parse(startedAt) < stalledBefore)
    return [`${id} is under way since ${startedAt}`]
  return []
}
