import type { Fault, Injected, Look } from '../fault.ts'
import type { Stage } from '../stage.ts'
import { allAnswer } from './pools.ts'

type Run = { status: string; version: number; tokenBudget: { spent: number } }

const over = ['EXHAUSTED', 'FAILED', 'CANCELLED']

/** The process that has the subgraphs and works on runs; agents can't be called meanwhile. */
export const subgraphsKilled: Fault = {
  kind: 'subgraphs killed',
  withinMs: 10_000,
  reach: 'all',
  async inject(stage, random): Promise<Injected> {
    process.kill(stage.pid('subgraphs'), 'SIGKILL')
    const agent = random.one(stage.agents)
    return {
      what: `SIGKILL to subgraphs; ${agent.id} is asked`,
      hits: ['subgraphs', 'agents'],
      objective: () => allAnswer(stage, [agent]),
      wholeAgainMs: 0,
      end: async () => undefined,
    }
  },
}

/** Its run goes on: a transition every few seconds, until it has converged. */
export const orchestratorKilled: Fault = {
  kind: 'orchestrator killed amid a run',
  withinMs: 10_000,
  reach: 'all',
  async inject(stage, random, name): Promise<Injected> {
    const { agent, served } = await stage.introduceElsewhere(name)
    served.conduct = { slowMs: 900 }
    const run = await submit(stage, { name, agentId: agent.id, steps: 12, budget: 20_000 })
    await moved(stage, run, random.whole(6, 12))
    process.kill(stage.pid('subgraphs'), 'SIGKILL')
    let last = { version: -1, at: 0 }
    return {
      what: `SIGKILL to subgraphs amid ${run}`,
      hits: ['subgraphs', 'agents', run],
      async objective(ms) {
        const { status, version } = await runOf(stage, run)
        if (version > last.version) last = { version, at: ms }
        return { held: status === 'CONVERGED' || ms - last.at < 2_500, seen: `${status} ${version}` }
      },
      wholeAgainMs: 0,
      async end() {
        await cancel(stage, run)
        await served[Symbol.asyncDispose]()
        await stage.ask('mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agent.id })
      },
    }
  },
}

/** An agent that has answered briefly answers at length in the middle of a run, and the budget burns. */
export const budgetBurn: Fault = {
  kind: 'budget burns within a run',
  withinMs: 15_000,
  reach: 'its own',
  async inject(stage, random, name): Promise<Injected> {
    const { agent, served } = await stage.introduceElsewhere(name)
    const run = await submit(stage, { name, agentId: agent.id, steps: 40, budget: 12_000, pauseS: 1 })
    await moved(stage, run, random.whole(8, 14))
    served.conduct = 'wordy'
    const spent: { ms: number; tokens: number }[] = []
    return {
      what: `${agent.id} in ${run}`,
      hits: [agent.id, run],
      async objective(ms): Promise<Look> {
        const { status, tokenBudget } = await runOf(stage, run)
        spent.push({ ms, tokens: tokenBudget.spent })
        const before = spent.find((each) => each.ms > ms - 3_000)?.tokens ?? tokenBudget.spent
        const burnt = tokenBudget.spent - before
        return { held: burnt < 1_000 && !over.includes(status), seen: `${status}, ${burnt} tokens in 3 s` }
      },
      wholeAgainMs: 0,
      async end() {
        await cancel(stage, run)
        await served[Symbol.asyncDispose]()
        await stage.ask('mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agent.id })
      },
    }
  },
}

type Plan = { name: string; agentId: string; steps: number; budget: number; pauseS?: number }

/** One step after the other, each a call of the agent. */
async function submit(stage: Stage, { name, agentId, steps, budget, pauseS }: Plan): Promise<string> {
  const calls = Array.from({ length: steps }, (_, place) => [
    ...(pauseS === undefined
      ? []
      : [
          {
            name: `pause-${place}`,
            action: 'wait',
            forMs: 1_000 * pauseS,
            dependsOn: place === 0 ? [] : [`call-${place - 1}`],
          },
        ]),
    {
      name: `call-${place}`,
      action: 'invoke',
      agent: agentId,
      capability: 'add',
      input: { a: place, b: 4 },
      dependsOn: pauseS === undefined ? (place === 0 ? [] : [`call-${place - 1}`]) : [`pause-${place}`],
    },
  ]).flat()
  const source = {
    name,
    description: 'Calls an agent, again and again.',
    tokenBudget: budget,
    maxIterations: 1,
    tokensPerCall: 2_000,
    phases: [{ name: 'all', description: 'All of it.', steps: calls }],
    convergence: [{ name: 'failed-steps', target: 0 }],
  }
  const { submitWorkflow } = await stage.ask<{ submitWorkflow: { plan: { id: string } } }>(
    'mutation ($source: String!) { submitWorkflow(source: $source) { plan { id } } }',
    { source: JSON.stringify(source) },
  )
  return submitWorkflow.plan.id
}

async function runOf(stage: Stage, id: string): Promise<Run> {
  const { executionPlan } = await stage.ask<{ executionPlan: Run | null }>(
    'query ($id: ID!) { executionPlan(id: $id) { status version tokenBudget { spent } } }',
    { id },
  )
  if (!executionPlan) throw new Error(`there is no run ${id}`)
  return executionPlan
}

async function moved(stage: Stage, id: string, version: number): Promise<void> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const run = await runOf(stage, id)
    if (run.version >= version) return
    if (Date.now() > deadline) throw new Error(`${id} does not move: ${JSON.stringify(run)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function cancel(stage: Stage, id: string): Promise<void> {
  const isGoing = async () => ['PENDING', 'RUNNING', 'PAUSED'].includes((await runOf(stage, id)).status)
  if (!(await isGoing())) return
  try {
    await stage.ask('mutation ($id: ID!) { cancelPlan(id: $id) { id } }', { id })
  } catch (error) {
    // It may have ended meanwhile.
    if (await isGoing()) throw error
  }
}
