import { z } from 'zod'
import type { Invocation } from '../../../kit/invoke.ts'
import type { ExaminedAgent } from '../../agent.ts'
import type { Check } from '../../store.ts'
import { type Call, type CallOptions, callAgent, reach } from '../call.ts'
import { check, type Finding, type Gate, judged, notEvaluated } from '../gate.ts'
import type { AskMemory } from './ask-memory.ts'
import { declaredMemory, judgedMemory } from './memory.ts'
import { percentile, type Run, runSchedule, type Sample } from './schedule.ts'

export type PerformanceOptions = CallOptions & {
  memory: AskMemory
  /** Most calls, and how long they are made for. */
  maxCalls?: number
  maxSeconds?: number
  concurrency?: number
  /** What is asked of an agent that declares a latency and no throughput. */
  usualPerSecond?: number
  warmUpCalls?: number
}

const maxErrorShare = 0.01
/** Of the declared rate: clocks and timers are not exact. */
const keptShare = 0.97

const declared = z.object({
  spec: z.object({
    performance: z.object({
      p95LatencyMs: z.number().positive().optional(),
      throughputPerSecond: z.number().positive().optional(),
    }),
  }),
})
type Declared = z.output<typeof declared>['spec']['performance']

type Asked = { capability: string; input: unknown }
type Load = Required<Pick<PerformanceOptions, 'maxCalls' | 'maxSeconds' | 'concurrency' | 'warmUpCalls'>>

/** The agent is as fast, takes as many calls and as little memory, as its manifest declares. */
export const performanceGate = (options: PerformanceOptions): Gate => ({
  name: 'performance',
  async evaluate(agent, signal) {
    const figures = declared.safeParse(agent.manifest).data?.spec.performance ?? {}
    const { p95LatencyMs, throughputPerSecond } = figures
    const limit = declaredMemory(agent.manifest)
    const isTimed = p95LatencyMs !== undefined || throughputPerSecond !== undefined
    if (!isTimed && limit === null) return notEvaluated(nothingDeclared)
    const asked = askedOf(agent)
    if (asked.length === 0) return notEvaluated('no capability has an example to be called with')
    const reached = await reach(agent, options)
    if ('finding' in reached) return reached.finding
    const { endpoint, bounds } = reached
    // Before the calls are timed, beside which nothing else is to be asked of the agent.
    const memory = judgedMemory(await options.memory(agent, signal), agent.version, limit)
    if (!isTimed && memory.reason !== null) return notEvaluated(memory.reason)
    if (!isTimed) return together(judged([]), memory)
    const { maxCalls = 300, maxSeconds = 5, concurrency = 64, warmUpCalls = 3, usualPerSecond = 10 } = options
    const call = { ...options, agent, endpoint, bounds: { ...bounds, signal } }
    const perSecond = throughputPerSecond ?? usualPerSecond
    const load = { maxCalls, maxSeconds, concurrency, warmUpCalls }
    return together(await examine(call, asked, figures, perSecond, load), memory)
  },
})

const nothingDeclared =
  'nothing declared: the manifest has neither spec.performance nor spec.resources.limits.memory'

/** What the calls and the memory told. */
function together({ evidence: timed }: Finding, memory: ReturnType<typeof judgedMemory>): Finding {
  const { verdict, evidence } = judged([...timed.checks, ...memory.checks])
  return { verdict, evidence: { ...evidence, figures: { ...timed.figures, ...memory.figures } } }
}

/** Every example of every capability, in turns: a cache of one answer helps little. */
const askedOf = ({ capabilities }: ExaminedAgent): Asked[] =>
  capabilities.flatMap(({ name, examples }) => examples.map(({ input }) => ({ capability: name, input })))

async function examine(
  call: Call,
  asked: readonly Asked[],
  figures: Declared,
  perSecond: number,
  { maxCalls, maxSeconds, concurrency, warmUpCalls }: Load,
): Promise<Finding> {
  const ask = (index: number): Promise<Invocation> => {
    const { capability, input } = asked[index % asked.length]!
    return callAgent(call, capability, input)
  }
  for (let index = 0; index < warmUpCalls; index++) {
    const { outcome, error = outcome } = await ask(index)
    // It would hang as often as it is called.
    if (outcome === 'TIMEOUT') return judged([check('it answers', false, error)])
  }
  const run = await runSchedule(
    {
      perSecond,
      calls: Math.max(1, Math.min(maxCalls, Math.round(perSecond * maxSeconds))),
      concurrency,
      // What is late may be made up for, in as much time again.
      maxMs: 2_000 * maxSeconds,
      signal: call.bounds.signal,
    },
    ask,
  )
  return judgedRun(run, figures, perSecond)
}

function judgedRun({ samples, elapsedMs }: Run<Invocation>, figures: Declared, perSecond: number): Finding {
  const { p95LatencyMs, throughputPerSecond } = figures
  const answered = samples.filter(({ answer }) => answer.outcome === 'OK')
  const [failed] = samples.filter(({ answer }) => answer.outcome !== 'OK')
  const errors = samples.length - answered.length
  const sorted = samples.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b)
  const [p50, p90, p95, p99, max] = [50, 90, 95, 99, 100].map((percent) =>
    rounded(percentile(sorted, percent)),
  )
  const heldPerSecond = rateOf(answered, percentile(sorted, 25), perSecond)
  const shown = `${samples.length} calls in ${rounded(elapsedMs / 1_000)} s, ${perSecond} a second offered`
  const checks: Check[] = [
    check(
      `fewer than ${100 * maxErrorShare} % of its answers are errors`,
      samples.length > 0 && errors < maxErrorShare * samples.length,
      `${errors} errors of ${shown}${failed ? `, as ${failed.answer.error ?? failed.answer.outcome}` : ''}`,
    ),
  ]
  if (p95LatencyMs !== undefined)
    checks.push(
      check(`its p95 latency is ${p95LatencyMs} ms or less`, p95! <= p95LatencyMs, `p95 ${p95} ms; ${shown}`),
    )
  if (throughputPerSecond !== undefined)
    checks.push(
      check(
        `it takes ${throughputPerSecond} calls a second`,
        heldPerSecond >= keptShare * throughputPerSecond,
        `${rounded(heldPerSecond)} answers a second; ${shown}`,
      ),
    )
  const seconds = rounded(elapsedMs / 1_000)
  const measured = { calls: samples.length, errors, seconds, perSecond: rounded(heldPerSecond) }
  const figured = { ...measured, p50Ms: p50!, p90Ms: p90!, p95Ms: p95!, p99Ms: p99!, maxMs: max! }
  const { verdict, evidence } = judged(checks)
  return { verdict, evidence: { ...evidence, figures: figured } }
}

/**
 * Of the answers but for the last twentieth, which are the latency's to judge; less the time that a call takes by itself. What
 * piles up shows in the rest.
 */
function rateOf(answered: readonly Sample<Invocation>[], usualMs: number, perSecond: number): number {
  const ended = answered.map(({ endedMs }) => endedMs).toSorted((a, b) => a - b)
  const count = Math.ceil(0.95 * ended.length)
  const tookMs = (ended[count - 1] ?? 0) - usualMs
  return count === 0 ? 0 : (1_000 * count) / Math.max((1_000 * count) / perSecond, tookMs)
}

const rounded = (value: number) => Math.round(value * 100) / 100
