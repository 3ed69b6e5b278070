import { z } from 'zod'
import { type Reference, referencePattern, referencesIn, referenceTypes } from './reference.ts'
import { skill } from './skill.ts'

const reference = z.string().max(200).regex(referencePattern)
const seconds = z.number().min(0).max(1e9)

/** In which order to fetch what a prompt refers to, and what of it a cache may answer (RFC 5861's stale answers too). */
export const referencePlanning = skill({
  name: 'reference-planning',
  configuration: z.strictObject({
    /** How long a copy is fresh. */
    timeToLiveSeconds: z.record(z.enum(referenceTypes), seconds),
    /** How much longer it may be used while it is fetched anew. */
    staleSeconds: z.record(z.enum(referenceTypes), seconds),
  }),
  input: z.strictObject({
    prompt: z.string().min(1).max(20_000).describe('With references as {CONTEXT:workflow:id}'),
    known: z
      .array(
        z.strictObject({
          reference: reference.describe('With its braces'),
          needs: z.array(reference).max(20).optional().describe('What must be resolved before it'),
          ageSeconds: seconds.optional().describe('Of the cached copy; absent where there is none'),
          fetchMs: z.number().min(0).max(600_000).optional().describe('How long fetching takes; 0 if absent'),
        }),
      )
      .max(200)
      .describe('What is known of references, also such as only others need'),
  }),
  output: z.strictObject({
    waves: z.array(z.array(z.string())).describe('To fetch: each wave side by side, after the one before it'),
    fromCache: z.array(z.string()).describe('Fresh copies to use'),
    revalidate: z.array(z.string()).describe('Stale copies to use now and to fetch anew afterwards'),
    blocked: z.array(z.string()).describe('In a cycle, or in need of one: cannot be resolved'),
    waitMs: z.number().describe('Of the longest chain of fetches'),
  }),
  run({ prompt, known }, { timeToLiveSeconds, staleSeconds }) {
    const knownOf = new Map(known.map((one) => [one.reference, one]))
    const found = new Map<string, 'fetch' | 'fresh' | 'stale'>()
    const judge = ({ token, type }: Reference) => {
      const age = knownOf.get(token)?.ageSeconds ?? Number.POSITIVE_INFINITY
      // A time to live of 0 means not to be kept at all.
      if (age < timeToLiveSeconds[type]) return 'fresh'
      return age < timeToLiveSeconds[type] + staleSeconds[type] ? 'stale' : 'fetch'
    }
    const needsOf = (token: string) => knownOf.get(token)?.needs ?? []
    const open = referencesIn(prompt)
    for (let next = open.pop(); next; next = open.pop()) {
      if (found.has(next.token)) continue
      const verdict = judge(next)
      found.set(next.token, verdict)
      // A copy stands for all that went into it.
      if (verdict === 'fetch') open.push(...referencesIn(needsOf(next.token).join('')))
    }

    const having = (verdict: string) =>
      [...found]
        .filter(([, one]) => one === verdict)
        .map(([token]) => token)
        .toSorted()
    let pending = having('fetch')
    const readyAt = new Map<string, number>([...having('fresh'), ...having('stale')].map((one) => [one, 0]))
    const waves: string[][] = []
    for (;;) {
      const wave = pending.filter((token) => needsOf(token).every((need) => readyAt.has(need)))
      if (wave.length === 0) break
      const ready = wave.map((token): [string, number] => [
        token,
        Math.max(0, ...needsOf(token).map((need) => readyAt.get(need)!)) + (knownOf.get(token)?.fetchMs ?? 0),
      ])
      for (const [token, at] of ready) readyAt.set(token, at)
      waves.push(wave)
      pending = pending.filter((token) => !readyAt.has(token))
    }
    return {
      waves,
      fromCache: having('fresh'),
      revalidate: having('stale'),
      blocked: pending,
      waitMs: Math.max(0, ...readyAt.values()),
    }
  },
})
