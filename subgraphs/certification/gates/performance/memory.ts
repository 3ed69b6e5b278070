import { z } from 'zod'
import type { Check } from '../../store.ts'
import { check } from '../gate.ts'
import type { Memory } from './ask-memory.ts'
import { bytesOf } from './quantity.ts'

/** What the second half of the calls may leave behind: see README. */
const mostGrowthBytes = 2 * 1024 * 1024

const amount = z.union([z.string(), z.number()])
const declared = z.object({
  spec: z.object({
    resources: z.object({
      memory: amount.optional(),
      limits: z.object({ memory: amount.optional() }).optional(),
    }),
  }),
})

/** What the manifest says that it takes at most, as it says it: OSSA's limit, else OSSA's one amount. */
export function declaredMemory(manifest: unknown): { text: string; bytes: number | null } | null {
  const resources = declared.safeParse(manifest).data?.spec.resources
  const text = resources?.limits?.memory ?? resources?.memory
  return text === undefined ? null : { text: String(text), bytes: bytesOf(text) }
}

type Declared = ReturnType<typeof declaredMemory>
type Judged = {
  checks: Check[]
  figures: Record<string, number>
  /** Why what is declared could not be held against it; null where it was, or nothing is. */
  reason: string | null
}

/** `seen` is why it was not measured, where it was not. */
export function judgedMemory(seen: Memory | string, version: string, limit: Declared): Judged {
  if (typeof seen === 'string') return untold(seen)
  if (seen.version !== version) return untold(`version ${seen.version} was measured, not ${version}`)
  const { calls, errors, problem, emptyBytes, mostBytes, halfwayBytes, afterBytes } = seen
  const memoryBytes = mostBytes - emptyBytes
  const shown = `${calls} calls one after the other`
  if (problem !== null || halfwayBytes === null || afterBytes === null) {
    const ended = `${problem ?? 'it was ended'}, after ${shown}`
    const checks = [check('it does its examples in a thread of its own', false, ended)]
    return { checks, figures: { memoryBytes }, reason: null }
  }
  if (errors === calls) return untold(`none of ${shown} completed`)
  const memoryGrowthBytes = afterBytes - halfwayBytes
  const isKept = check(
    'it keeps no more the more it is called',
    memoryGrowthBytes <= mostGrowthBytes,
    `${mebibytes(memoryGrowthBytes)} more after the second half of ${shown}`,
  )
  const { reason, ...isWithin } = heldTo(limit, memoryBytes)
  return { checks: [isKept, isWithin], figures: { memoryBytes, memoryGrowthBytes }, reason }
}

function heldTo(limit: Declared, bytes: number): Check & { reason: string | null } {
  const took = `${mebibytes(bytes)} at most`
  if (limit === null) return { ...check('its memory', true, `${took}; nothing is declared`), reason: null }
  if (limit.bytes !== null)
    return { ...check(`it takes ${limit.text} of memory or less`, bytes <= limit.bytes, took), reason: null }
  const reason = `${limit.text} is no quantity, as 512Mi is`
  return { ...check('its memory', true, `${took}; NOT_EVALUATED: ${reason}`), reason }
}

const untold = (reason: string): Judged => ({
  checks: [check('its memory', true, `NOT_EVALUATED: ${reason}`)],
  figures: {},
  reason,
})

const mebibytes = (bytes: number) => `${Math.round((bytes / 1024 / 1024) * 10) / 10} MiB`
