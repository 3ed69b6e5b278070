import type { Transaction } from '@community/infra/postgres.ts'
import { type Arrivals, type Burst, burstOf, type Usual, type Window } from './burst.ts'

/** What has arrived: ratings of verified organizations are compared with such, others with others. */
export type Arrival = { verified: boolean; stars: number }

const windows: readonly Window[] = ['hour', 'day', 'week']

/**
 * Holds what has arrived in a burst, the ratings that made it one too; whether there is one. Call it after an arrival was
 * written, with the listing locked and `app.internal` on; count anew afterwards.
 */
export async function holdBurst(tx: Transaction, listingId: string, arrival: Arrival): Promise<boolean> {
  const { usual, ...arrived } = await arrivals(tx, listingId, arrival)
  for (const window of windows) {
    const burst = burstOf(window, arrived[window], usual)
    if (burst === null) continue
    await hold(tx, listingId, arrival, { window, burst })
    return true
  }
  return false
}

async function hold(
  tx: Transaction,
  listingId: string,
  { verified, stars }: Arrival,
  { window, burst }: { window: Window; burst: Burst },
): Promise<void> {
  await tx.query(
    `with held as (
       update rating set state = 'HELD', held_because = 'BURST', held_at = coalesce(held_at, now())
       where listing_id = $1 and verified = $2 and state = 'COUNTED' and not approved
         and arrived_at > now() - $3::interval and ($4::int is null or stars = $4)
       returning id
     )
     insert into rating_act (rating_id, kind, text) select id, 'HELD', 'ratings came in an abnormal burst' from held`,
    [listingId, verified, `1 ${window}`, burst === 'SAME' ? stars : null],
  )
}

type Row = Record<Window, Arrivals> & { usual: Usual }

// Organizations and not principals: what many of one organization say weighs no more than one. The history is that which
// counts, so that an attack does not become usual; what a moderator has approved is no attack.
async function arrivals(tx: Transaction, listingId: string, { verified, stars }: Arrival): Promise<Row> {
  const extreme = stars === 1 || stars === 5 ? stars : null
  const { rows } = await tx.query<Row>(
    `select ${windows.map((window) => `${arrivedWithin(window)} as ${window}`).join(', ')},
       jsonb_build_object(
         'all', count(distinct (r.organization_id, r.arrived_at::date)) filter (where ${before}),
         'same', count(distinct (r.organization_id, r.arrived_at::date)) filter (where ${before} and r.stars = $3),
         'hours', (
           select greatest(24, least(720, extract(epoch from now() - interval '1 week' - l.published_at) / 3600))
           from listing as l where l.agent_id = $1
         )
       ) as usual
     from rating as r
     where r.listing_id = $1 and r.verified = $2 and r.arrived_at > now() - interval '37 days'`,
    [listingId, verified, extreme],
  )
  return rows[0]!
}

function arrivedWithin(window: Window): string {
  const within = `not r.approved and r.arrived_at > now() - interval '1 ${window}'`
  return `jsonb_build_object(
    'all', count(distinct r.organization_id) filter (where ${within}),
    'same', count(distinct r.organization_id) filter (where ${within} and r.stars = $3)
  )`
}

const before = `r.state = 'COUNTED' and r.arrived_at <= now() - interval '1 week'`
