import type { Field } from '../../kit/search/bm25.ts'
import { spaced } from '../../kit/search/passages.ts'
import type { Entry } from '../../kit/search/search-index.ts'
import { audienceOf } from '../../kit/search/store.ts'
import type { AgentFilter } from '../store.ts'
import type { EntryRow } from './store.ts'

export const fields: Field[] = [
  { name: 'name', weight: 2 },
  { name: 'description', weight: 1 },
  { name: 'capabilities', weight: 0.5 },
  { name: 'examples', weight: 0.5 },
]

export type Facts = Pick<EntryRow, 'type' | 'subtype' | 'pool' | 'status' | 'organizationId' | 'revision'> & {
  capabilities: readonly string[]
}

// An MCP server may have hundreds of tools, and each vector is compared with each query.
const mostExamples = 48

export function entryOf(row: EntryRow): Entry<Facts> {
  const { type, subtype, pool, status, organizationId, revision, capabilities } = row
  const asked = capabilities.flatMap(({ examples }) => examples)
  const untold = capabilities.flatMap(({ examples, description }) =>
    examples.length === 0 ? [description] : [],
  )
  return {
    id: row.id,
    texts: [
      `${spaced(row.name)} ${spaced(subtype)}`,
      row.description,
      capabilities.map(({ name, description }) => `${spaced(name)}. ${description}`).join('\n'),
      asked.join('\n'),
    ],
    examples: [...asked, ...untold].slice(0, mostExamples),
    audience: audienceOf(row),
    facts: {
      type,
      subtype,
      pool,
      status,
      organizationId,
      revision,
      capabilities: capabilities.map(({ name }) => name),
    },
  }
}

/** Null where the filter asks nothing; else the same as the SQL of `conditions`. */
export function fitsFilter(filter: AgentFilter): ((facts: Facts) => boolean) | null {
  const { pool, type, subtype, status, organizationId, capability } = filter
  if ([pool, type, subtype, status, organizationId, capability].every((each) => each == null)) return null
  return (facts) =>
    (pool == null || facts.pool === pool) &&
    (type == null || facts.type === type) &&
    (subtype == null || facts.subtype === subtype) &&
    (status == null || status.includes(facts.status)) &&
    (organizationId == null || facts.organizationId === organizationId) &&
    (capability == null || facts.capabilities.includes(capability))
}
