import { z } from 'zod'
import { breakKinds, breaksIn } from '../../kit/audit-chain.ts'
import { skill } from './skill.ts'

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/)
const entrySchema = z.strictObject({
  sequence: z.int().min(0).max(Number.MAX_SAFE_INTEGER).describe('One more than the entry before'),
  at: z.iso.datetime().describe('When it was written'),
  event: z.record(z.string().max(60), z.unknown()).describe('What happened'),
  previous: hashSchema.describe('Hash of the entry before'),
  hash: hashSchema.describe('SHA-256 over the canonical JSON (RFC 8785) of the other fields'),
})
const breakSchema = z.enum(breakKinds)

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
    const breaks = breaksIn(entries, { after: start, head, toleranceMs })
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
