import { inTransaction } from '@community/infra/postgres.ts'
import { type Floor, internalSettings } from '../kit/subgraph.ts'
import { announceOrganization } from './events.ts'
import { clearHome, insertOrganization } from './store.ts'

/** Makes the organization known that this installation belongs to. */
export async function seedHome({ pool, config, nudge }: Floor): Promise<void> {
  const id = config.homeOrganization
  await inTransaction(pool, internalSettings, async (tx) => {
    // Several processes may start at once.
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('federation home', 0))`)
    for (const row of await clearHome(tx, id)) await announceOrganization(tx, row)
    const seeded = await insertOrganization(tx, { id, name: id, home: true })
    if (seeded) await announceOrganization(tx, seeded)
  })
  nudge()
}
