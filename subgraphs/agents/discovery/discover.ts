import type { Db } from '@community/infra/postgres.ts'
import type { Catalogue } from '../../kit/search/catalogue.ts'
import { find, questionOf } from '../../kit/search/find.ts'
import { type AgentFilter, type AgentRow, agentsById } from '../store.ts'
import { type Facts, fitsFilter } from './entry.ts'

export type Found = { row: AgentRow; score: number; reasons: string[] }

/** Those that fit a need, the best first; Postgres gives out the agents themselves. */
export async function discoverAgents(
  db: Db,
  catalogue: Catalogue<Facts>,
  query: string,
  filter: AgentFilter,
  first: number,
): Promise<{ found: Found[]; totalCount: number }> {
  const question = await questionOf(catalogue, query)
  const { found, totalCount } = await find(db, catalogue, question, {
    filter,
    fitsOf: () => fitsFilter(filter),
    first: first + 1,
  })
  const agents = await agentsById(
    db,
    found.map(({ id }) => id),
  )
  // An agent that was hidden a moment ago is still in the index, and no longer the caller's to see.
  const seen = found.flatMap(({ score, reasons }, at) => {
    const row = agents[at]
    return row ? [{ row, score, reasons: [...reasons, ...question.lacks] }] : []
  })
  return { found: seen, totalCount: totalCount - (found.length - seen.length) }
}
