import { randomUUID } from 'node:crypto'
import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { repeat, together } from '../kit/repeat.ts'
import { type Floor, internalSettings } from '../kit/subgraph.ts'
import { openThread } from '../kit/thread.ts'
import { type Claim, claim, expire, LeaseLost, release, renew } from './claims.ts'
import { type Evaluation, evaluate, reject } from './evaluate.ts'
import { announceProgress } from './events.ts'
import { conformanceGate } from './gates/a2a-conformance.ts'
import { functionalGate } from './gates/functional.ts'
import type { Inputs, ToTry } from './gates/inputs.ts'
import { manifestGate } from './gates/manifest.ts'
import { askMemory } from './gates/performance/ask-memory.ts'
import { performanceGate } from './gates/performance/performance.ts'
import { securityGate } from './gates/security/security.ts'
import { supplyChainGate } from './gates/supply-chain/supply-chain.ts'
import { renewEnding } from './renew.ts'

const concurrency = 4
const pollMs = 150
const leaseMs = 15_000
const renewEveryMs = 4_000
const expireEveryMs = 60_000
const maxTries = 8
const longestInputsMs = 5_000
/** The agent that certification runs as. */
const subject = 'agent:certification-validator'

/**
 * Runs the gates of what is requested, four at a time. Several processes may do so: each request is one's by a lease,
 * and when its holder dies another takes it up where it was.
 */
export function startScheduler(floor: Floor): { stop(): Promise<void> } {
  const { pool, config, keys, graph, outbound, usage, log, nudge } = floor
  const holder = randomUUID()
  const stopping = new AbortController()
  const running = new Map<string, { abort: AbortController; done: Promise<void> }>()
  const mutate = async <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> => {
    const result = await inTransaction(pool, internalSettings, fn)
    nudge()
    return result
  }
  const calls = {
    keys: keys.internal,
    usage,
    outbound,
    caller: subject,
    endpointAllow: config.agentEndpointAllow,
  }
  const inputs = openThread<ToTry, Inputs>({
    file: new URL('./gates/inputs-thread.ts', import.meta.url),
    longestMs: longestInputsMs,
    log,
  })
  const gates = [
    manifestGate,
    conformanceGate(calls),
    functionalGate({ ...calls, inputsOf: (asked) => inputs.ask(asked) }),
    securityGate(calls),
    supplyChainGate({ ...calls, osvDir: config.osvDir }),
    performanceGate({ ...calls, memory: askMemory(floor, subject) }),
  ]
  const evaluation: Evaluation = { config, keys, graph, gates, holder, subject, mutate }

  const takeUp = async () => {
    const limit = concurrency - running.size
    if (limit <= 0) return
    const claims = await inTransaction(pool, internalSettings, async (tx) => {
      const claimed = await claim(tx, holder, limit, leaseMs)
      for (const each of claimed) if (each.begun) await announceProgress(tx, each)
      return claimed
    })
    if (claims.length > 0) nudge()
    for (const each of claims) {
      const abort = new AbortController()
      const done = work(each, abort.signal).finally(() => running.delete(each.id))
      running.set(each.id, { abort, done })
    }
  }

  const work = async (each: Claim, signal: AbortSignal): Promise<void> => {
    const { id, agentId, tries } = each
    try {
      if (tries > maxTries) return await reject(evaluation, id, [`given up after ${maxTries} tries`])
      await evaluate(evaluation, each, signal)
    } catch (error) {
      if (error instanceof LeaseLost) {
        log.warn({ id, agentId }, 'another took a certification over')
        return
      }
      // Whoever comes next may begin at once where this process only stops.
      const afterMs = stopping.signal.aborted ? 0 : Math.min(60_000, 500 * 2 ** tries)
      if (!signal.aborted) log.warn({ err: error, id, agentId, tries }, 'a certification will be tried again')
      await mutate((tx) => release(tx, holder, id, afterMs)).catch((lost: unknown) =>
        log.warn({ err: lost, id }, 'a certification waits for its lease to lapse'),
      )
    }
  }

  const renewLeases = async () => {
    if (running.size === 0) return
    const ids = [...running.keys()]
    const kept = await inTransaction(pool, internalSettings, (tx) => renew(tx, holder, ids, leaseMs))
    for (const id of ids) if (!kept.includes(id)) running.get(id)?.abort.abort(new LeaseLost())
  }

  const expireCertificates = async () => {
    await mutate(async (tx) => {
      for (const row of await expire(tx)) await announceProgress(tx, row)
      await renewEnding(tx, subject)
    })
  }

  const problem = 'the certification scheduler could not go on'
  const loops = together([
    repeat({ everyMs: pollMs, log, problem }, takeUp),
    repeat({ everyMs: renewEveryMs, log, problem }, renewLeases),
    repeat({ everyMs: expireEveryMs, log, problem }, expireCertificates),
  ])
  return {
    async stop() {
      stopping.abort()
      await loops.stop()
      for (const { abort } of running.values()) abort.abort(new Error('the scheduler stops'))
      await Promise.all([...running.values()].map(({ done }) => done))
      await inputs.close()
    },
  }
}
