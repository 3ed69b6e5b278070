import { createHash } from 'node:crypto'
import { canonical } from './canonical.ts'

/** An entry of a log in which each is bound to the one before. */
export type ChainEntry = {
  /** One more than that of the entry before. */
  sequence: number
  /** ISO 8601. */
  at: string
  event: Record<string, unknown>
  /** Hash of the entry before. */
  previous: string
  /** SHA-256 over the canonical JSON (RFC 8785) of the other fields. */
  hash: string
}

/** What the first entry of a log has for `previous`. */
export const genesis = '0'.repeat(64)

export const hashOf = ({ sequence, at, event, previous }: Omit<ChainEntry, 'hash'>): string =>
  createHash('sha256').update(canonical({ sequence, at, event, previous })).digest('hex')

/** Changed content, a lost link, a gap, time run back, or a cut end. */
export const breakKinds = ['CONTENT', 'LINK', 'SEQUENCE', 'TIME', 'HEAD'] as const
export type ChainBreak = { sequence: number; kind: (typeof breakKinds)[number]; detail: string }

type Options = {
  /** Hash that the first entry follows. */
  after: string
  /** Hash of the newest entry, from a source of its own: shows a cut end. */
  head?: string | undefined
  /** How far a clock may run back between two entries. */
  toleranceMs: number
}

/** Where entries, the oldest first, are not as they were written; of what was inserted or left out the entry behind it tells. */
export function breaksIn(
  entries: readonly ChainEntry[],
  { after, head, toleranceMs }: Options,
): ChainBreak[] {
  const breaks = entries.flatMap((entry, index) => {
    const before = entries[index - 1]
    return broken(entry, before, before?.hash ?? after, toleranceMs)
  })
  const last = entries.at(-1)
  if (head !== undefined && head !== (last?.hash ?? after))
    breaks.push({
      sequence: last?.sequence ?? 0,
      kind: 'HEAD',
      detail: 'The log went on after this entry, or is another.',
    })
  return breaks
}

function broken(
  entry: ChainEntry,
  before: ChainEntry | undefined,
  previous: string,
  toleranceMs: number,
): ChainBreak[] {
  const found: ChainBreak[] = []
  const say = (kind: ChainBreak['kind'], detail: string) =>
    found.push({ sequence: entry.sequence, kind, detail })
  const { hash } = entry
  const actual = hashOf(entry)
  if (actual !== hash) say('CONTENT', `It hashes to ${actual.slice(0, 12)}… and says ${hash.slice(0, 12)}….`)
  if (entry.previous !== previous)
    say('LINK', `It follows ${entry.previous.slice(0, 12)}…, not ${previous.slice(0, 12)}….`)
  if (before && entry.sequence !== before.sequence + 1)
    say('SEQUENCE', `${before.sequence} is followed by ${entry.sequence}.`)
  if (before && Date.parse(entry.at) < Date.parse(before.at) - toleranceMs)
    say('TIME', 'It is older than the entry before.')
  return found
}
