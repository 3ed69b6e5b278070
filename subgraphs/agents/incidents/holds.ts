import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@community/infra/log.ts'
import { inTransaction, type Pool } from '@community/infra/postgres.ts'
import type { Invocation } from '../../kit/invoke.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { type Asked, openAgentsOnly, type Policy } from '../admission.ts'
import { currentHolds, noteAnswered, noteUnanswered } from './hold-store.ts'

export type Holds = {
  policy: Policy
  /** How many calls of the agent that this process has made since then are under way for so long. */
  underWay(agentId: string, forMs: number, since: Date): number
  stop(): Promise<void>
}

const readEveryMs = 500
/** Of messages whose end has not been noted yet; those beyond are not counted. */
const mostNotes = 1_000

/**
 * What incidents keep from being called, as this process knows it: read anew twice a second. Where it can't be read, what
 * was read last stands. Notes which messages nobody answers, and which calls are under way.
 */
export function openHolds({ pool, log }: { pool: Pool; log: Log }): Holds {
  const stopping = new AbortController()
  let held = new Map<string, string>()
  let failing = false
  const notes = new Set<Promise<void>>()
  /** Messages that had no answer from here: only for those an answer is worth a note. */
  const unanswered = new Set<string>()
  /** When they began, by agent. */
  const calls = new Map<string, Set<{ at: number }>>()

  const reading = (async () => {
    while (!stopping.signal.aborted) {
      try {
        held = new Map(
          (await inTransaction(pool, internalSettings, currentHolds)).map(({ kind, subjectId, reason }) => [
            `${kind} ${subjectId}`,
            reason,
          ]),
        )
        failing = false
      } catch (error) {
        if (!failing) log.warn({ err: error }, 'what incidents hold back could not be read, trying again')
        failing = true
      }
      await sleep(readEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()

  const note = (messageId: string, { agentId, answered, error = '' }: Invocation) => {
    if (notes.size >= mostNotes || (answered && !unanswered.delete(messageId))) return
    if (!answered) unanswered.add(messageId)
    for (const oldest of unanswered) {
      if (unanswered.size <= mostNotes) break
      unanswered.delete(oldest)
    }
    const noting = inTransaction(pool, internalSettings, (tx) =>
      answered ? noteAnswered(tx, messageId) : noteUnanswered(tx, messageId, agentId, error.slice(0, 300)),
    ).catch((failure: unknown) => log.warn({ err: failure }, 'the end of a message could not be noted'))
    notes.add(noting)
    void noting.finally(() => notes.delete(noting))
  }

  const policy = (asked: Asked): string | null => {
    const closed = openAgentsOnly(asked)
    if (closed !== null || asked.purpose === 'HEALTH') return closed
    const broken = held.get(`BREAKER ${asked.agent.id}`)
    if (broken !== undefined) return `the breaker of ${asked.agent.id} is open: ${broken}`
    const message = asked.messageId === undefined ? undefined : held.get(`MESSAGE ${asked.messageId}`)
    return message === undefined ? null : `the message is kept back: ${message}`
  }
  return {
    policy: Object.assign(policy, {
      begun({ messageId, agent }: Asked) {
        const ended = noteCall(calls, agent.id)
        return (invocation: Invocation | null) => {
          ended()
          if (messageId !== undefined && invocation) note(messageId, invocation)
        }
      },
    }),
    underWay(agentId, forMs, since) {
      const before = Date.now() - forMs
      return [...(calls.get(agentId) ?? [])].filter(({ at }) => at <= before && at >= since.getTime()).length
    },
    async stop() {
      stopping.abort()
      await Promise.all([reading, ...notes])
    },
  }
}

/** Returns what ends it. */
function noteCall(calls: Map<string, Set<{ at: number }>>, agentId: string): () => void {
  const call = { at: Date.now() }
  const going = calls.get(agentId) ?? new Set()
  calls.set(agentId, going.add(call))
  return () => {
    going.delete(call)
    if (going.size === 0 && calls.get(agentId) === going) calls.delete(agentId)
  }
}
