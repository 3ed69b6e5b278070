import type { Db } from '@community/infra/postgres.ts'
import { type AgentFilter, type AgentRow, agentsById, conditions } from './store.ts'

export type Found = { row: AgentRow; score: number; reasons: string[] }

// Weights of D, C, B and A: example questions, capabilities, description, name.
const rank = `ts_rank_cd('{0.3, 0.6, 0.8, 1.0}', agent.search, asked.query, 1 | 4)`

/** Any word of the query will do. Who may see what is decided before ranks and counts. */
export async function discoverAgents(
  db: Db,
  query: string,
  filter: AgentFilter,
  first: number,
): Promise<{ found: Found[]; totalCount: number }> {
  const params: unknown[] = [query]
  const where = conditions(filter, params)
  const { rows } = await db.query<Match>(
    `with asked as (
       select replace(plainto_tsquery('english', $1)::text, '&', '|')::tsquery as query,
         tsvector_to_array(to_tsvector('english', $1)) as stems
     )
     select agent.id, ${rank} as score, count(*) over ()::int as "totalCount",
       array(
         select jsonb_build_array(lexeme, weights)
         from unnest(agent.search) where lexeme = any(asked.stems) order by lexeme
       ) as hits
     from asked join agent on agent.search @@ asked.query
     where ${where} order by score desc, agent.id limit $${params.push(first + 1)}`,
    params,
  )
  if (rows.length === 0) return { found: [], totalCount: 0 }
  const words = await wordsByStem(db, query)
  const agents = await agentsById(
    db,
    rows.map(({ id }) => id),
  )
  const found = rows.flatMap(({ score, hits }, index) => {
    const row = agents[index]
    return row
      ? [{ row, score, reasons: hits.map(([stem, weights]) => reason(words.get(stem) ?? stem, weights)) }]
      : []
  })
  return { found, totalCount: rows[0]?.totalCount ?? 0 }
}

type Weight = 'A' | 'B' | 'C' | 'D'
type Match = { id: string; score: number; totalCount: number; hits: [stem: string, weights: Weight[]][] }

const places: Record<Weight, string> = {
  A: 'name',
  B: 'description',
  C: 'capabilities',
  D: 'examples',
}

const reason = (word: string, weights: readonly Weight[]) =>
  `${word}: ${[...new Set(weights)]
    .toSorted()
    .map((weight) => places[weight])
    .join(', ')}`

/** The query's words as they were written. */
async function wordsByStem(db: Db, query: string): Promise<Map<string, string>> {
  const { rows } = await db.query<{ stem: string; word: string }>(
    `select stem, min(token) as word from ts_debug('english', $1), unnest(lexemes) as stem group by stem`,
    [query],
  )
  return new Map(rows.map(({ stem, word }) => [stem, word]))
}
