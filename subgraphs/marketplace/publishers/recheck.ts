import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { type Repeated, repeat } from '../../kit/repeat.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { announceDomain, settle } from './settle.ts'
import { expirePending, takeDue } from './store.ts'

const everyMs = 30_000
const batch = 10
const actor = 'subgraph:marketplace'

type Needed = Pick<MarketplaceFloor, 'pool' | 'prove' | 'config' | 'log' | 'nudge'>

/** Looks again, every day or as the operator says, whether proven domains still have their tokens. */
export const keepVerified = (floor: Needed): Repeated =>
  repeat({ everyMs, log: floor.log, problem: 'publishers’ domains could not be checked again' }, () =>
    recheckDue(floor),
  )

/** One batch of those whose time has come. */
export async function recheckDue({ pool, prove, config, nudge }: Needed): Promise<void> {
  const internally = async <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> =>
    await inTransaction(pool, internalSettings, fn)
  const expired = await internally(async (tx) => {
    const rows = await expirePending(tx, batch)
    for (const row of rows) await announceDomain(tx, row)
    return rows
  })
  const due = await internally((tx) => takeDue(tx, batch))
  const periodMs = config.publisherRecheckMs
  for (const { id, problem } of await Promise.all(
    due.map(async (row) => ({ id: row.id, problem: await prove(row) })),
  ))
    await internally((tx) => settle(tx, id, { problem, periodMs, actor }))
  if (due.length + expired.length > 0) nudge()
}
