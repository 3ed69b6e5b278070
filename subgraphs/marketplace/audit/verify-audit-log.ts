/**
 * `pnpm audit-log FILE --keys KEYS [--head HEAD]`: checks an exported audit log offline, with Node alone. FILE holds entries
 * as `auditLog { edges { node { sequence at event previous hash } } }` answers them, a JSON document for each page, one
 * after the other; KEYS is what `certificateKeys` answers, HEAD what `auditHead` answered at some time. Ends with 0 where the
 * log is whole, 1 where it is not, 2 where it could not be checked.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { breaksIn, type ChainEntry, genesis } from '../../kit/audit-chain.ts'
import { findIn, keysIn, signedBy } from '../../kit/signed.ts'

type Head = { aud: string; sub: string; sequence: number; hash: string }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keys: { type: 'string' }, head: { type: 'string' } },
})
const [file] = positionals

try {
  if (file === undefined || (values.head !== undefined && values.keys === undefined))
    throw new Error('expected FILE, and with --head HEAD also --keys KEYS')
  const entries = entriesIn(readFileSync(file, 'utf8'))
  const problems = breaksIn(entries, { after: genesis, toleranceMs: 0 }).map(
    ({ sequence, kind, detail }) => `${kind} at ${sequence}: ${detail}`,
  )
  if (entries[0] && entries[0].sequence !== 1)
    problems.push(`SEQUENCE: it begins with ${entries[0].sequence}`)
  if (values.head !== undefined && values.keys !== undefined)
    problems.push(
      ...headProblems(entries, readFileSync(values.head, 'utf8').trim(), readFileSync(values.keys, 'utf8')),
    )
  for (const problem of problems) console.error(problem)
  if (problems.length === 0)
    console.log(
      `${entries.length} entries, whole${values.head === undefined ? '; its end was not checked' : ''}`,
    )
  process.exitCode = problems.length === 0 ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}

/** The log may have gone on since; what was its end then must be in it. */
function headProblems(entries: readonly ChainEntry[], jws: string, keysText: string): string[] {
  const head = signedBy<Head>(keysIn(keysText), jws, 'audit-head')
  if (!head) return ['HEAD: it is not signed by these keys, or was changed']
  const others = new Set(entries.map(({ event }) => event.organizationId).filter((id) => id !== head.sub))
  if (others.size > 0) return [`HEAD: it is of ${head.sub}, the log of ${[...others].join(', ')}`]
  const hash = head.sequence === 0 ? genesis : entries[head.sequence - 1]?.hash
  return hash === head.hash ? [] : [`HEAD: entry ${head.sequence} is not what it was, or was cut off`]
}

/** Documents that follow each other, each a page, an entry, or a list of entries. */
function entriesIn(text: string): ChainEntry[] {
  const documents = text.startsWith('[')
    ? [text]
    : text.split(/\n(?=\{)/).filter((each) => each.trim() !== '')
  return documents.flatMap((document) => {
    const value: unknown = JSON.parse(document)
    const edges = findIn(value, 'edges')
    if (Array.isArray(edges)) return edges.map((edge: { node: ChainEntry }) => edge.node)
    return Array.isArray(value) ? (value as ChainEntry[]) : [value as ChainEntry]
  })
}
