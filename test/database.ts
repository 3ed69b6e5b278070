import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { inject } from 'vitest'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of the server, as its superuser, at the template database. */
    postgresUrl: string
  }
}

export const templateDatabase = 'community_template'

export type TestDatabase = {
  [Symbol.asyncDispose]: () => Promise<void>
  /** As the server's superuser. */
  adminUrl: string
  /** By schema; pools of the kit take on the schema's role. */
  urls: Record<string, string>
  url(schema: string): string
}

/** A migrated database of its own, cloned from the template and dropped at the end. */
export async function testDatabase(): Promise<TestDatabase> {
  const template = inject('postgresUrl')
  const name = `test_${randomBytes(6).toString('hex')}`
  await atServer(template, `create database ${name} template ${templateDatabase}`)
  const adminUrl = urlOf(template, name)
  const schemas = ['agents', 'marketplace', 'certification', 'telemetry', 'federation', 'eventlog']
  return {
    adminUrl,
    urls: Object.fromEntries(schemas.map((schema) => [schema, adminUrl])),
    url: () => adminUrl,
    async [Symbol.asyncDispose]() {
      await atServer(template, `drop database ${name} with (force)`)
    },
  }
}

export const urlOf = (url: string, database: string) =>
  Object.assign(new URL(url), { pathname: `/${database}` }).href

export async function atServer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: urlOf(url, 'postgres') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
