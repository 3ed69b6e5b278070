import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'
import { jaccard, words } from './terms.ts'

const measures = {
  resemblance: jaccard,
  containment: (one: ReadonlySet<string>, kept: ReadonlySet<string>) =>
    one.size === 0 ? 0 : one.intersection(kept).size / one.size,
}

/** Finds what a context says more than once: resemblance or containment of word shingles (Broder 1997). */
export const contextDeduplication = skill({
  name: 'context-deduplication',
  configuration: z.strictObject({
    /** resemblance: of all shingles those of both. containment: of an item's shingles those that the kept one has too. */
    measure: z.enum(['resemblance', 'containment']),
    shingleWords: z.int().min(1).max(10),
    /** From which likeness on an item is a repeat. */
    threshold: z.number().gt(0).max(1),
    keep: z.enum(['first', 'longest']),
  }),
  input: z.strictObject({
    items: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(120).describe('Its name in the answer'),
          source: z.string().max(120).optional().describe('The agent that brought it'),
          text: z.string().max(4000).describe('What would be sent'),
        }),
      )
      .min(1)
      .max(100)
      .describe('In the order in which they would be sent'),
  }),
  output: z.strictObject({
    keep: z.array(z.string()).describe('In their order'),
    groups: z
      .array(
        z.strictObject({
          kept: z.string().describe('The item that stays'),
          sources: z.array(z.string()).describe('Everybody who said it'),
          repeats: z
            .array(
              z.strictObject({
                id: z.string().describe('The item that goes'),
                likeness: z.number().describe('1 for the same words'),
              }),
            )
            .describe('In their order'),
        }),
      )
      .describe('What was said more than once'),
    tokensBefore: z.int().describe('Of all items'),
    tokensAfter: z.int().describe('Of those that stay'),
  }),
  run({ items }, { measure, shingleWords, threshold, keep }) {
    const all = items.map((item, index) => ({
      ...item,
      index,
      tokens: countTokens(item.text),
      shingles: shinglesOf(item.text, shingleWords),
    }))
    const inTurn = keep === 'first' ? all : all.toSorted((a, b) => b.tokens - a.tokens || a.index - b.index)
    const groups: {
      kept: (typeof all)[number]
      repeats: { one: (typeof all)[number]; likeness: number }[]
    }[] = []
    for (const one of inTurn) {
      const closest = groups
        .map((group) => ({ group, likeness: measures[measure](one.shingles, group.kept.shingles) }))
        .reduce<{ group: (typeof groups)[number]; likeness: number } | null>(
          (best, next) => (best && best.likeness >= next.likeness ? best : next),
          null,
        )
      if (closest && closest.likeness >= threshold)
        closest.group.repeats.push({ one, likeness: closest.likeness })
      else groups.push({ kept: one, repeats: [] })
    }
    const inOrder = groups.toSorted((a, b) => a.kept.index - b.kept.index)
    return {
      keep: inOrder.map(({ kept }) => kept.id),
      groups: inOrder
        .filter(({ repeats }) => repeats.length > 0)
        .map(({ kept, repeats }) => ({
          kept: kept.id,
          sources: [
            ...new Set([kept, ...repeats.map(({ one }) => one)].flatMap(({ source }) => source ?? [])),
          ].toSorted(),
          repeats: repeats
            .toSorted((a, b) => a.one.index - b.one.index)
            .map(({ one, likeness }) => ({ id: one.id, likeness: rounded(likeness, 3) })),
        })),
      tokensBefore: sum(all.map(({ tokens }) => tokens)),
      tokensAfter: sum(groups.map(({ kept }) => kept.tokens)),
    }
  },
})

/** A text of fewer words is a single shingle. */
function shinglesOf(text: string, size: number): Set<string> {
  const all = words(text)
  if (all.length === 0) return new Set()
  if (all.length <= size) return new Set([all.join(' ')])
  return new Set(all.slice(size - 1).map((_, start) => all.slice(start, start + size).join(' ')))
}
