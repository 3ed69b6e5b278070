import { z } from 'zod'
import { overlap, wordsOf } from './listing-words.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const fieldSchema = z.strictObject({
  name: z.string().min(1).max(60),
  compare: z.enum(['jaro-winkler', 'words', 'exact']),
  /** How often the field agrees where two records are of one thing, and where they are not. */
  agreesIfSame: z.number().gt(0).lt(1),
  agreesIfOther: z.number().gt(0).lt(1),
  /** Likeness from which the field agrees; below, the weight falls to disagreement in proportion. */
  agreesFrom: z.number().gt(0).max(1),
})
type Field = z.output<typeof fieldSchema>
const recordSchema = z.strictObject({
  id: z.string().min(1).max(120).describe('Unique'),
  fields: z.record(z.string().max(60), z.string().max(80)).describe('What it says of itself'),
})
type Entry = z.output<typeof recordSchema>

/** Which records are of one and the same thing: Fellegi and Sunter's weights over Jaro and Winkler's likeness. */
export const recordLinkage = skill({
  name: 'record-linkage',
  configuration: z.strictObject({
    fields: z.array(fieldSchema).min(1).max(8),
    /** Sums of weights, in bits. */
    linkAt: z.number().min(-100).max(100),
    reviewAt: z.number().min(-100).max(100),
  }),
  input: z.strictObject({
    records: z.array(recordSchema).min(2).max(60).describe('All are compared with all'),
  }),
  output: z.strictObject({
    pairs: z
      .array(
        z.strictObject({
          a: z.string().describe('One record'),
          b: z.string().describe('The other'),
          bits: z.number().describe('Evidence that they are of one thing'),
          decision: z.enum(['SAME', 'REVIEW']).describe('REVIEW: a person should look'),
          likeness: z.record(z.string(), z.number()).describe('Field by field, 0 to 1'),
        }),
      )
      .describe('Most certain first, at most 50'),
    groups: z.array(z.array(z.string())).describe('Records of one thing, those of two and more'),
    compared: z.int().describe('Pairs looked at'),
  }),
  run({ records }, { fields, linkAt, reviewAt }) {
    const pairs = records.flatMap((a, index) => records.slice(index + 1).map((b) => compare(a, b, fields)))
    const kept = pairs
      .filter(({ bits }) => bits >= Math.min(linkAt, reviewAt))
      .map((pair) => ({ ...pair, decision: pair.bits >= linkAt ? ('SAME' as const) : ('REVIEW' as const) }))
      .toSorted((a, b) => b.bits - a.bits)
    return {
      pairs: kept.slice(0, 50),
      groups: groupsOf(
        records.map(({ id }) => id),
        kept.filter(({ decision }) => decision === 'SAME'),
      ),
      compared: pairs.length,
    }
  },
})

function compare(a: Entry, b: Entry, fields: readonly Field[]) {
  // A field that one of them leaves empty speaks neither for nor against.
  const both = fields.filter(({ name }) => filled(a, name) && filled(b, name))
  const likeness = both.map(({ name, compare: by }) => likenesses[by](a.fields[name]!, b.fields[name]!))
  const bits = sum(both.map((field, index) => weight(field, likeness[index]!)))
  return {
    a: a.id,
    b: b.id,
    bits: rounded(bits, 2),
    likeness: Object.fromEntries(both.map(({ name }, index) => [name, rounded(likeness[index]!, 3)])),
  }
}

const filled = ({ fields }: Entry, name: string) => Object.hasOwn(fields, name) && fields[name]!.trim() !== ''

function weight({ agreesIfSame: m, agreesIfOther: u, agreesFrom }: Field, likeness: number): number {
  const agreement = Math.log2(m / u)
  const disagreement = Math.log2((1 - m) / (1 - u))
  const share = Math.min(1, likeness / agreesFrom)
  // Winkler's interpolation; squared, as middling likeness is mostly chance.
  return disagreement + (agreement - disagreement) * share ** 2
}

const plain = (text: string) => wordsOf(text.normalize('NFKC')).join(' ')

const likenesses = {
  'jaro-winkler': (a: string, b: string) => jaroWinkler(plain(a), plain(b)),
  words: (a: string, b: string) => overlap(new Set(wordsOf(a)), new Set(wordsOf(b))),
  exact: (a: string, b: string) => Number(plain(a) === plain(b)),
}

function jaroWinkler(a: string, b: string): number {
  const jaro = jaroOf(Array.from(a), Array.from(b))
  const limit = Math.min(4, a.length, b.length)
  let prefix = 0
  while (prefix < limit && a[prefix] === b[prefix]) prefix++
  return jaro + prefix * 0.1 * (1 - jaro)
}

function jaroOf(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return a.length === b.length ? 1 : 0
  const reach = Math.max(0, Math.floor(Math.max(a.length, b.length) / 2) - 1)
  const taken = b.map(() => false)
  const matchedOfA: string[] = []
  for (const [index, letter] of a.entries())
    for (let at = Math.max(0, index - reach); at <= Math.min(b.length - 1, index + reach); at++) {
      if (taken[at] || b[at] !== letter) continue
      taken[at] = true
      matchedOfA.push(letter)
      break
    }
  const matches = matchedOfA.length
  if (matches === 0) return 0
  const matchedOfB = b.filter((_, at) => taken[at])
  const transposed = matchedOfA.filter((letter, at) => letter !== matchedOfB[at]).length / 2
  return (matches / a.length + matches / b.length + (matches - transposed) / matches) / 3
}

/** Who is linked with whom, also by way of others. */
function groupsOf(ids: readonly string[], links: readonly { a: string; b: string }[]): string[][] {
  const groupOf = new Map(ids.map((id) => [id, new Set([id])]))
  for (const { a, b } of links) {
    const [one, other] = [groupOf.get(a)!, groupOf.get(b)!]
    if (one === other) continue
    for (const id of other) {
      one.add(id)
      groupOf.set(id, one)
    }
  }
  return [...new Set(groupOf.values())].filter(({ size }) => size > 1).map((group) => [...group].toSorted())
}
