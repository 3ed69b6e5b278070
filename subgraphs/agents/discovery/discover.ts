import type { Db } from '@community/infra/postgres.ts'
import { ClientError } from '../../kit/errors.ts'
import { type AgentFilter, type AgentRow, agentsById } from '../store.ts'
import type { Catalogue } from './catalogue.ts'
import { fitsFilter } from './entry.ts'
import { audiencesSeen } from './store.ts'

export type Found = { row: AgentRow; score: number; reasons: string[] }

// After a start; 100,000 agents take longer.
const loadedWithinMs = 10_000

/**
 * Those that fit a need, the best first. Postgres says which audiences the caller belongs to before anything is ranked, counted
 * or compared, and gives out the agents themselves.
 */
export async function discoverAgents(
  db: Db,
  { index, queries, loaded }: Catalogue,
  query: string,
  filter: AgentFilter,
  first: number,
): Promise<{ found: Found[]; totalCount: number }> {
  await loadedSoon(loaded)
  const [asked, audiences] = await Promise.all([queries.vectorOf(query), audiencesSeen(db)])
  const { found, totalCount } = index.search({
    query,
    vector: asked.vector,
    sees: (audience) => audiences.has(audience),
    fits: fitsFilter(filter),
    first: first + 1,
  })
  const agents = await agentsById(
    db,
    found.map(({ id }) => id),
  )
  const lacks = asked.vector === null ? [`ranked by words alone: ${asked.lacks}`] : []
  // An agent that was hidden a moment ago is still in the index, and no longer the caller's to see.
  const seen = found.flatMap(({ score, reasons }, at) => {
    const row = agents[at]
    return row ? [{ row, score, reasons: [...reasons, ...lacks] }] : []
  })
  return { found: seen, totalCount: totalCount - (found.length - seen.length) }
}

async function loadedSoon(loaded: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new ClientError('UNAVAILABLE', 'the catalogue is still being read: ask again in a while')),
    loadedWithinMs,
  )
  try {
    await Promise.race([loaded, late])
  } finally {
    clearTimeout(timer)
  }
}
