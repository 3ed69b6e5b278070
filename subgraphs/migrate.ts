import { parseArgs } from 'node:util'
import { readConfig, subgraphNames } from '@community/infra/config.ts'
import { createLog } from '@community/infra/log.ts'
import { migrate } from './kit/migrate.ts'

// `migrate.ts [--admin-url URL]`: schemas, roles and tables of all subgraphs, and of the event log where it is Postgres.
const config = readConfig()
const log = createLog('migrate', config.logLevel)
const { values } = parseArgs({ options: { 'admin-url': { type: 'string' } } })
const adminUrl = values['admin-url'] ?? config.databaseAdminUrl

if (adminUrl === undefined) {
  console.error('where to? Give --admin-url or set DATABASE_ADMIN_URL')
  process.exitCode = 2
} else {
  const schemas = config.kafkaBrokers.length > 0 ? subgraphNames : [...subgraphNames, 'eventlog']
  const roles = Object.fromEntries(schemas.map((schema) => [schema, config.rolePasswords[schema] ?? null]))
  try {
    await migrate({ adminUrl, roles, log })
  } catch (error) {
    const { message, cause } = error as Error
    console.error(`could not migrate: ${message}${cause instanceof Error ? `: ${cause.message}` : ''}`)
    process.exitCode = 1
  }
}
