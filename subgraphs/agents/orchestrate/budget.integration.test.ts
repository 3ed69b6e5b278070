import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runsOn, serveAgents, testFloor } from '../../../test/orchestrator.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { countTokens } from '../../kit/tokens.ts'
import { insertSubtype, updateStatus, upsertAgent, upsertDeployment } from '../store.ts'
import { checkPlan } from './check.ts'
import { readPlan } from './definition.ts'
import { grantTokens } from './grants.ts'
import type { KnownAgent } from './known.ts'
import { openLocate } from './located.ts'
import { startOrchestrator } from './orchestrator.ts'
import { insertRun, type StepRow } from './store.ts'

const workflows = Number(process.env.BUDGET_WORKFLOWS ?? 20)
const seed = Number(process.env.BUDGET_SEED ?? 20_261_125)
const agentCount = 6
const declared: Record<string, number> = { 'teller-4': 70, 'teller-5': 130 }

const stack = new AsyncDisposableStack()
let floor: Floor

type Input = { step: string; words: number; fails: number; drops: number; padding: string }

/** By the step's name, which no other workflow has: what its agents have received and sent, in tokens, and how often. */
const counted = new Map<string, { tokens: number; calls: number }>()
/** What has been recorded as usage, by agent. */
const used = { tokens: 0, calls: 0 }

const schema = { type: 'object' }

beforeAll(async () => {
  const base = stack.use(await testFloor())
  const { url } = stack.use(await serveAgents(answer))
  floor = {
    ...base.floor,
    usage: {
      ...base.floor.usage,
      record({ tokensIn, tokensOut }) {
        used.tokens += tokensIn + tokensOut
        used.calls++
      },
    },
  }
  for (const id of known.keys()) await introduce(id, `${url}/${id}`)
})

afterAll(() => stack.disposeAsync())

const { internal, run: runOf, steps: rowsOf } = runsOn(() => floor)

/** One message: counted as it came and as it is answered, then answered, refused or dropped as it asks for. */
async function answer(request: IncomingMessage, response: ServerResponse) {
  const { id, params } = (await json(request)) as {
    id: unknown
    params: { message: { parts: { data: { input: Input } }[] } }
  }
  const [part] = params.message.parts
  if (!part) throw new Error('a message without a part')
  const { step, words, fails, drops } = part.data.input
  const count = counted.get(step) ?? { tokens: 0, calls: 0 }
  counted.set(step, count)
  count.calls++
  count.tokens += countTokens(JSON.stringify(part.data))
  if (count.calls <= drops) return void response.destroy()
  const isRefused = count.calls <= drops + fails
  const data = { said: Array.from({ length: words }, (_, index) => `word${index % 7}`).join(' ') }
  const sent = isRefused ? { text: `not now: ${data.said}` } : { data }
  count.tokens += countTokens(sent.text ?? JSON.stringify(data))
  const state = isRefused ? 'TASK_STATE_FAILED' : 'TASK_STATE_COMPLETED'
  const message = { messageId: randomUUID(), role: 'ROLE_AGENT', parts: [sent] }
  const task = {
    id: randomUUID(),
    contextId: randomUUID(),
    status: isRefused ? { state, message } : { state },
    artifacts: isRefused ? [] : [{ artifactId: 'answer', parts: [sent] }],
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { task } }))
}

const known = new Map(
  Array.from({ length: agentCount }, (_, index): [string, KnownAgent] => {
    const id = `teller-${index}`
    return [
      id,
      {
        id,
        organizationId: 'ossa',
        version: '1.0.0',
        labels: index < 3 ? { team: 'tellers' } : {},
        tokensPerCall: null,
        capabilities: [{ name: 'tell', input: schema }],
        inFleet: false,
      },
    ]
  }),
)

async function introduce(id: string, endpoint: string): Promise<void> {
  const capability = { name: 'tell', description: 'Tells.', input: schema, output: schema, examples: [] }
  await internal(async (tx) => {
    const type = 'WORKER' as const
    await insertSubtype(tx, { name: 'worker.teller', type, description: 'Tells.' })
    await upsertAgent(tx, id, 'ossa', {
      source: '{}',
      // Some take less than most steps set aside: others' messages are delegated to these.
      document: { spec: { budgets: { tokensPerCall: declared[id] ?? null } } },
      reading: { format: 'ossa/v0.5', profile: null, remarks: [], notUnderstood: [] },
      name: id,
      version: '1.0.0',
      description: 'Tells.',
      namespace: null,
      labels: {},
      type,
      subtype: 'worker.teller',
      visibility: 'PRIVATE',
      pool: null,
      endpoint,
      tokensPerCall: null,
      capabilities: [capability],
    })
    await updateStatus(tx, id, 'ACTIVE')
    await upsertDeployment(tx, { agentId: id, deploymentId: id, version: '1.0.0', pool: null, endpoint })
  })
}

/** Numbers below 1, the same for the same seed (mulberry32). */
function generator(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const strategies = ['block', 'queue', 'delegate', 'escalate']

/** With a budget anywhere between what the messages alone have and more than enough. */
function workflow(number: number, random: () => number) {
  const below = (limit: number) => Math.floor(random() * limit)
  const name = `random-${number}`
  const tokens = 100 + below(400)
  const steps = Array.from({ length: 1 + below(24) }, (_, index) => {
    const isSelection = random() < 0.15
    const step = `w${number}-${index}`
    const input: Input = {
      step,
      // Some answers have more than was set aside for them.
      words: below(random() < 0.05 ? 600 : 150),
      // Those of a selection share their name, and what they send is told apart by nobody.
      fails: isSelection || random() < 0.8 ? 0 : 1 + below(2),
      drops: isSelection || random() < 0.9 ? 0 : 1,
      padding: 'x '.repeat(below(40)),
    }
    return {
      name: step,
      action: 'invoke',
      ...(isSelection ? { select: { team: 'tellers' } } : { agent: `teller-${below(agentCount)}` }),
      capability: 'tell',
      input,
      tokens,
      retries: { attempts: 1 + below(3), backoffMs: 1 },
      ...(random() < 0.1 ? { budgetStrategy: strategies[below(strategies.length)] } : {}),
      dependsOn: Array.from({ length: index }, (__, other) => `w${number}-${other}`).filter(
        () => random() < 1.5 / Math.max(index, 1),
      ),
    }
  })
  const budgetStrategy = strategies[number % strategies.length]
  const budgetWaitMs = 200 + below(400)
  /** What a person grants when steps wait for tokens, one after the other. */
  const grants = Array.from({ length: below(6) }, () => 1 + below(3 * tokens))
  const written = (tokenBudget: number) =>
    JSON.stringify({
      name,
      description: 'Random.',
      tokenBudget,
      maxIterations: 1 + below(2),
      concurrency: 1 + below(12),
      tokensPerCall: tokens,
      budgetStrategy,
      budgetWaitMs,
      phases: [{ name: 'only', description: 'The only one.', steps }],
      convergence: [{ name: 'failed-steps', target: 0 }],
    })
  const { steps: planned } = checkPlan(readPlan(written(2_000_000_000), name, 'source').plan, known)
  const least = planned.reduce((sum, { leastTokens }) => sum + leastTokens, 0)
  const budget =
    Math.max(tokens, least) + below((budgetStrategy === 'block' ? 3 : 1) * planned.length * tokens)
  const { plan } = readPlan(written(budget), name, 'source')
  const { problems, definition } = checkPlan(plan, known)
  expect(problems).toEqual([])
  return { name, definition, budget, grants }
}

/** Grants tokens while steps wait for some. */
async function ended(id: string, grants: readonly number[]) {
  const left = [...grants]
  for (;;) {
    const run = await runOf(id)
    if (run?.finishedAt) return run
    const rows = await rowsOf(id)
    const tokens = rows.some(({ awaitsTokens }) => awaitsTokens !== null) ? left.shift() : undefined
    if (tokens !== undefined)
      await internal((tx) => grantTokens(tx, id, { tokens, reason: 'random', by: 'test' }))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

type Told = { transition: string; allocated: number; spent: number; reserved: number }

/** The budget as every event of the run tells it, in their order. */
async function told(runId: string): Promise<Told[]> {
  const { rows } = await internal((tx) =>
    tx.query<Told>(
      `select value ->> 'transition' as transition, budget.* from outbox
       cross join jsonb_to_record(value -> 'plan' -> 'tokenBudget') as budget (allocated int, spent int, reserved int)
       where aggregate_id = $1 order by id`,
      [runId],
    ),
  )
  return rows
}

const count = (all: readonly Told[], wanted: string) =>
  all.filter(({ transition }) => transition === wanted).length

/** Tokens that answers had beyond what the budget had left, as their steps tell. */
const over = (rows: readonly StepRow[]): number =>
  rows.reduce(
    (sum, { error }) => sum + Number(/^the answer had (\d+) tokens more/.exec(error ?? '')?.[1] ?? 0),
    0,
  )

test(`in ${workflows} random workflows of seed ${seed} no token is over, and each is accounted for`, {
  timeout: 30_000 + workflows * 5_000,
}, async () => {
  const random = generator(seed)
  const figures = {
    converged: 0,
    exhausted: 0,
    steps: 0,
    calls: 0,
    tokens: 0,
    transitions: 0,
    over: 0,
    waits: 0,
    delegated: 0,
    grants: 0,
  }
  const orchestrator = startOrchestrator(floor, { locate: openLocate(floor.pool, () => null) })
  for (let number = 0; number < workflows; number++) {
    const { name, definition, budget, grants } = workflow(number, random)
    used.tokens = 0
    used.calls = 0
    await internal((tx) => insertRun(tx, { definition, organizationId: 'ossa', startedBy: 'test' }))
    const run = await ended(name, grants)
    const rows = await rowsOf(name)
    const budgets = await told(name)
    expect(budgets).toHaveLength(run.version)
    let granted = 0
    for (const { transition, allocated, spent, reserved } of budgets) {
      if (transition === 'TOKENS_GRANTED') granted++
      expect(allocated).toBe(grants.slice(0, granted).reduce((sum, each) => sum + each, budget))
      expect(spent + reserved).toBeLessThanOrEqual(allocated)
    }
    const settled = Map.groupBy(rows, (row) => row.name ?? '')
    for (const [step, each] of settled)
      expect({ step, tokens: each.reduce((sum, row) => sum + row.tokens, 0) }).toEqual({
        step,
        tokens: counted.get(step)?.tokens ?? 0,
      })
    const tokens = rows.reduce((sum, row) => sum + row.tokens, 0)
    const calls = [...settled.keys()].reduce((sum, step) => sum + (counted.get(step)?.calls ?? 0), 0)
    expect(used).toEqual({ tokens, calls })
    expect(run.reserved).toBe(0)
    // What an agent has sent beyond the budget is told as the reason, and spends what is left.
    expect(run.spent).toBe(tokens - over(rows))
    if (over(rows) > 0) expect(run.status).toBe('EXHAUSTED')
    figures.converged += run.status === 'CONVERGED' ? 1 : 0
    figures.exhausted += run.status === 'EXHAUSTED' ? 1 : 0
    figures.over += over(rows) > 0 ? 1 : 0
    figures.waits += count(budgets, 'STEP_WAITING')
    figures.delegated += count(budgets, 'STEP_DELEGATED')
    figures.grants += granted
    figures.steps += rows.length
    figures.calls += calls
    figures.tokens += tokens
    figures.transitions += run.version
  }
  await orchestrator.stop()
  console.log(`seed ${seed}: ${JSON.stringify({ workflows, ...figures })}`)
  expect(figures.converged + figures.exhausted).toBe(workflows)
  expect(figures.exhausted).toBeGreaterThan(0)
  expect(figures.converged).toBeGreaterThan(0)
  expect(Math.min(figures.waits, figures.delegated + figures.grants)).toBeGreaterThan(0)
})
