import type { Field } from '../../kit/search/bm25.ts'
import { spaced } from '../../kit/search/passages.ts'
import type { Entry } from '../../kit/search/search-index.ts'
import { audienceOf } from '../../kit/search/store.ts'
import type { EntryRow } from './store.ts'

export const fields: Field[] = [
  { name: 'title', weight: 2 },
  { name: 'summary', weight: 1 },
  { name: 'category', weight: 1 },
  { name: 'tags', weight: 0.5 },
]

/** What filters and facets ask of. */
export type Facts = Pick<
  EntryRow,
  'id' | 'revision' | 'organizationId' | 'category' | 'type' | 'pool' | 'tags' | 'certificationLevel'
>

export const facets = {
  names: ['category', 'type', 'publisher', 'certification', 'pool'],
  valuesOf: ({ category, type, organizationId, certificationLevel, pool }: Facts) => [
    category,
    type,
    organizationId,
    certificationLevel,
    pool,
  ],
}

export function entryOf(row: EntryRow): Entry<Facts> {
  const { id, revision, organizationId, category, type, pool, tags, certificationLevel } = row
  return {
    id,
    texts: [spaced(row.title), row.summary, spaced(category), tags.map(spaced).join('\n')],
    examples: [],
    audience: audienceOf(row),
    facts: { id, revision, organizationId, category, type, pool, tags, certificationLevel },
  }
}
