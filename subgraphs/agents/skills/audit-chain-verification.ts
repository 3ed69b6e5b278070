import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { z } from 'zod'
import { skill } from './skill.ts'

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/)
const entrySchema = z.strictObject({
  sequence: z.int().min(0).max(Number.MAX_SAFE_INTEGER).describe('One more than the entry before'),
  at: z.iso.datetime().describe('When it was written'),
  event: z.record(z.string().max(60), z.unknown()).describe('What happened'),
  previous: hashSchema.describe('Hash of the entry before'),
  hash: hashSchema.describe('SHA-256 over the canonical JSON (RFC 8785) of the other fields'),
})
type Entry = z.output<typeof entrySchema>
const breakSchema = z.enum(['CONTENT', 'LINK', 'SEQUENCE', 'TIME', 'HEAD'])

/** A hash-chained log, entry by entry: what holds, and where and how it was first broken. */
export const auditChainVerification = skill({
  name: 'audit-chain-verification',
  configuration: z.strictObject({
    /** What the first entry of a log has for `previous`. */
    genesis: hashSchema,
    /** How far a clock may run back between two entries. */
    toleranceMs: z.int().min(0).max(86_400_000),
  }),
  input: z.strictObject({
    entries: z.array(entrySchema).min(1).max(500).describe('Oldest first'),
    after: hashSchema
      .optional()
      .describe('Hash that the first entry follows; the log’s beginning unless told'),
    head: hashSchema
      .optional()
      .describe('Hash of the newest entry, from a source of its own: shows a cut end'),
  }),
  output: z.strictObject({
    intact: z.boolean().describe('Nothing is broken'),
    verified: z.int().describe('Entries before the first break'),
    head: z.string().describe('Hash of the last entry that holds'),
    breaks: z
      .array(
        z.strictObject({
          sequence: z.int().describe('Of the entry'),
          kind: breakSchema.describe('Changed content, a lost link, a gap, time run back, or a cut end'),
          detail: z.string().describe('In words'),
        }),
      )
      .describe('At most 20; of what was inserted or left out the entry behind it tells'),
  }),
  run({ entries, after, head }, { genesis, toleranceMs }) {
    const start = after ?? genesis
    const breaks = entries.flatMap((entry, index) => {
      const before = entries[index - 1]
      return broken(entry, before, before?.hash ?? start, toleranceMs)
    })
    const last = entries.at(-1)!
    if (head && head !== last.hash)
      breaks.push({
        sequence: last.sequence,
        kind: 'HEAD',
        detail: 'The log went on after this entry, or is another.',
      })
    const first = breaks[0]
    const verified = first
      ? entries.findIndex(({ sequence }) => sequence === first.sequence) + (first.kind === 'HEAD' ? 1 : 0)
      : entries.length
    return {
      intact: breaks.length === 0,
      verified,
      head: entries[verified - 1]?.hash ?? start,
      breaks: breaks.slice(0, 20),
    }
  },
})

type Break = { sequence: number; kind: z.output<typeof breakSchema>; detail: string }

function broken(entry: Entry, before: Entry | undefined, previous: string, toleranceMs: number): Break[] {
  const found: Break[] = []
  const say = (kind: Break['kind'], detail: string) => found.push({ sequence: entry.sequence, kind, detail })
  const { hash, ...content } = entry
  const actual = createHash('sha256')
    .update(canonicalize(content) ?? '')
    .digest('hex')
  if (actual !== hash) say('CONTENT', `It hashes to ${actual.slice(0, 12)}… and says ${hash.slice(0, 12)}….`)
  if (entry.previous !== previous)
    say('LINK', `It follows ${entry.previous.slice(0, 12)}…, not ${previous.slice(0, 12)}….`)
  if (before && entry.sequence !== before.sequence + 1)
    say('SEQUENCE', `${before.sequence} is followed by ${entry.sequence}.`)
  if (before && Date.parse(entry.at) < Date.parse(before.at) - toleranceMs)
    say('TIME', 'It is older than the entry before.')
  return found
}
