import { digestOf, spaced } from '@community/subgraphs/kit/search/passages.ts'
import type { Client } from 'pg'
import type { Member } from './crowd.ts'

const types = ['worker', 'critic', 'verifier', 'judge', 'integrator', 'trainer', 'governor', 'telemetry']
const fields = ['search', 'finance', 'travel', 'weather', 'code', 'media']
const pools = ['foundation', 'intelligence', 'federation', 'community', 'analytics', null]
const levels = [null, null, 'BRONZE', 'SILVER', 'GOLD']
const publishers = 500

/** Members of a crowd as listings in the schema `marketplace`, with their vectors, as if they had been published. */
export async function insertListings(
  admin: Client,
  model: string,
  members: readonly Member[],
  from: number,
): Promise<void> {
  const rows = members.map((member, index) => listingOf(member, from + index))
  await admin.query('set search_path = marketplace')
  await admin.query('begin')
  await admin.query(
    `insert into embedding (model, digest, vector)
     select $1, digest, decode(vector, 'hex') from unnest($2::text[], $3::text[]) as made (digest, vector) on conflict do nothing`,
    [
      model,
      rows.map(({ title, summary }) => digestOf(`${spaced(title)}: ${summary}`)),
      members.map(({ vectors: [whole] }) => Buffer.from(whole!).toString('hex')),
    ],
  )
  await admin.query(
    `insert into listing (agent_id, organization_id, visibility, title, summary, type, category, pool, tags, agent_changed_at,
       certification_level, rating_count, rating_sum, rating_weight, rating_points, version, published_at)
     select id, organization, visibility, title, summary, type, category, pool, array_remove(array[pool, category], null), now(), level,
       ratings, 4 * ratings, ratings, 4 * ratings, 1, now() - n * interval '1 second'
     from jsonb_to_recordset($1::jsonb) as listing (id text, organization text, visibility text, title text, summary text,
       type text, category text, pool text, level text, ratings int, n int)`,
    [JSON.stringify(rows)],
  )
  await admin.query('commit')
}

/** One of ten is rated; one of fifty is for its organization alone. */
function listingOf({ id, name, desc }: Member, n: number) {
  const type = of(types, n)
  return {
    id,
    organization: `publisher-${n % publishers}`,
    visibility: n % 50 === 7 ? 'ORGANIZATION' : 'PUBLIC',
    title: name,
    summary: desc,
    type,
    category: `${type}.${of(fields, n >> 3)}`,
    pool: of(pools, n >> 2),
    level: of(levels, n),
    ratings: n % 10 === 3 ? 1 + (n % 40) : 0,
    n,
  }
}

const of = <T>(values: readonly T[], n: number): T => values[n % values.length]!
