import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { subgraphNames } from '@community/infra/config.ts'
import { startPostgres } from '@community/infra/embedded/postgres.ts'
import { createLog } from '@community/infra/log.ts'
import { migrate } from '@community/subgraphs/kit/migrate.ts'
import type { TestProject } from 'vitest/node'
import { atServer, templateDatabase, urlOf } from './database.ts'

/** One server for all integration tests, with a migrated template to clone databases from. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const log = createLog('test', 'warn')
  const folder = await mkdtemp(join(tmpdir(), 'community-test-'))
  const server = await startPostgres({ folder: join(folder, 'postgres'), log })
  const stop = async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await atServer(server.adminUrl, `create database ${templateDatabase}`)
    const adminUrl = urlOf(server.adminUrl, templateDatabase)
    await migrate({
      adminUrl,
      roles: Object.fromEntries([...subgraphNames, 'eventlog'].map((schema) => [schema, null])),
      log,
    })
    project.provide('postgresUrl', adminUrl)
    return stop
  } catch (error) {
    await stop()
    throw error
  }
}
