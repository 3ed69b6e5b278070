import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

type Entry = { key: string; tokens: number; uses: number; lastAt: number; admittedAt: number; worth: number }
type Access = { key: string; tokens: number }

/** Who goes first: the entry with the lowest. `floor` is what the last one that went was worth, GDSF's ageing. */
const policies = {
  fifo: (entry: Entry) => entry.admittedAt,
  lru: (entry: Entry) => entry.lastAt,
  lfu: (entry: Entry) => entry.uses,
  /** Greedy-Dual-Size-Frequency (Cherkasova 1998) at equal cost: small and often used stays. */
  gdsf: (entry: Entry, floor: number) => floor + entry.uses / entry.tokens,
  /** Belady: knows the future, which no cache does. The most that is to be had where all sizes are equal. */
  clairvoyant: (_entry: Entry, _floor: number, nextAt: number) => -nextAt,
}
const names = ['fifo', 'lru', 'lfu', 'gdsf', 'clairvoyant'] as const

/** Replays what was asked of a cache of context capsules under eviction policies, and tells which would have served best. */
export const cacheReplay = skill({
  name: 'cache-replay',
  configuration: z.strictObject({
    policies: z.array(z.enum(names)).min(1).max(5),
    /** What the best policy has most of. */
    judgeBy: z.enum(['hits', 'tokens']),
  }),
  input: z.strictObject({
    capacityTokens: z.int().min(1).max(1e9).describe('What the cache may hold'),
    accesses: z
      .array(
        z.strictObject({
          key: z.string().min(1).max(120).describe('Of the capsule'),
          tokens: z.int().min(1).max(1e9).describe('Its size'),
        }),
      )
      .min(1)
      .max(2000)
      .describe('In the order in which they were asked for'),
  }),
  output: z.strictObject({
    policies: z
      .array(
        z.strictObject({
          policy: z.enum(names).describe('What was evicted'),
          hitPercent: z.number().describe('Of the accesses'),
          tokenHitPercent: z.number().describe('Of the tokens asked for'),
          evictions: z.int().describe('How many capsules were thrown out'),
          kept: z.array(z.string()).describe('Capsules held in the end, at most 20, by name'),
        }),
      )
      .describe('Best first'),
    best: z.enum(names).describe('Of those that do not know the future, where there is one'),
    distinctTokens: z.int().describe('What would hold everything'),
  }),
  run({ capacityTokens, accesses }, { policies: chosen, judgeBy }) {
    const by = judgeBy === 'hits' ? 'hitPercent' : 'tokenHitPercent'
    const results = [...new Set(chosen)]
      .map((policy) => ({ policy, ...replayed(accesses, capacityTokens, policies[policy]) }))
      .toSorted((a, b) => b[by] - a[by] || a.evictions - b.evictions)
    const sizes = new Map(accesses.map(({ key, tokens }) => [key, tokens]))
    return {
      policies: results,
      best: (results.find(({ policy }) => policy !== 'clairvoyant') ?? results[0]!).policy,
      distinctTokens: sum([...sizes.values()]),
    }
  },
})

function replayed(
  accesses: readonly Access[],
  capacity: number,
  worthOf: (entry: Entry, floor: number, nextAt: number) => number,
) {
  const nextAt = nextUses(accesses)
  const entries = new Map<string, Entry>()
  let [used, floor, hits, tokensHit, evictions] = [0, 0, 0, 0, 0]
  for (const [at, { key, tokens }] of accesses.entries()) {
    let entry = entries.get(key)
    if (entry?.tokens === tokens) {
      hits++
      tokensHit += tokens
    } else {
      // A capsule of another size is another version: what is held of it is of no use.
      if (entry) used -= entry.tokens
      entries.delete(key)
      entry = undefined
      if (tokens > capacity) continue
      while (used + tokens > capacity) {
        const victim = [...entries.values()].reduce((a, b) => (b.worth < a.worth ? b : a))
        floor = victim.worth
        used -= victim.tokens
        entries.delete(victim.key)
        evictions++
      }
      used += tokens
    }
    const now = entry ?? { key, tokens, uses: 0, lastAt: at, admittedAt: at, worth: 0 }
    now.uses++
    now.lastAt = at
    now.worth = worthOf(now, floor, nextAt[at]!)
    entries.set(key, now)
  }
  return {
    hitPercent: rounded((100 * hits) / accesses.length, 1),
    tokenHitPercent: rounded((100 * tokensHit) / sum(accesses.map(({ tokens }) => tokens)), 1),
    evictions,
    kept: [...entries.keys()].toSorted().slice(0, 20),
  }
}

/** For each access, when its key is asked for again. */
function nextUses(accesses: readonly Access[]): number[] {
  const seen = new Map<string, number>()
  return accesses
    .map(({ key }, index) => ({ key, index }))
    .toReversed()
    .map(({ key, index }) => {
      const next = seen.get(key) ?? Number.POSITIVE_INFINITY
      seen.set(key, index)
      return next
    })
    .toReversed()
}
