import { readConfig } from '@community/infra/config.ts'
import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../kit/subgraph.ts'
import { recountAll } from './ratings/count.ts'

// `recount.ts`: counts all ratings anew, from the ratings alone, beside what runs; says how many listings had other figures.
const { databaseUrls, databaseUrl } = readConfig()
const url = databaseUrls.marketplace ?? databaseUrl
if (url === undefined) {
  console.error('where? Set DATABASE_URL or DATABASE_URL_MARKETPLACE')
  process.exitCode = 2
} else {
  const pool = createPool({ url, role: 'marketplace', applicationName: 'recount' })
  try {
    const { listings, corrected } = await recountAll((fn) => inTransaction(pool, internalSettings, fn))
    console.log(`${listings} listings counted, ${corrected} corrected`)
  } finally {
    await pool.end()
  }
}
