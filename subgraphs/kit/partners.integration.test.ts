import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { testDatabase } from '../../test/database.ts'
import { notePartners } from './partners.ts'
import { internalSettings } from './subgraph.ts'

test.each(['agents', 'marketplace', 'certification', 'telemetry'])(
  '%s has the partners of the latest event, whatever comes late',
  async (role) => {
    await using database = await testDatabase()
    const pool = createPool({ url: database.url(role), role, applicationName: 'test' })
    const admin = new Client(database.adminUrl)
    await admin.connect()
    const note = (version: number, partnerIds: string[]) =>
      inTransaction(pool, internalSettings, (tx) =>
        notePartners(tx, { organization: { id: 'acme' }, partnerIds, version }),
      )
    const partners = async () =>
      (
        await admin.query<{ id: string }>(
          `select partner_id as id from ${role}.partner where organization_id = 'acme' order by 1`,
        )
      ).rows.map(({ id }) => id)
    expect(await note(2, ['ada', 'bob'])).toBe(true)
    expect(await note(1, ['old'])).toBe(false)
    expect(await partners()).toEqual(['ada', 'bob'])
    expect(await note(3, ['bob', 'eve'])).toBe(true)
    expect(await partners()).toEqual(['bob', 'eve'])
    await admin.end()
    await pool.end()
  },
)
