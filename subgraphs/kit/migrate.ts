import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '@community/infra/log.ts'
import { connectToPrimary } from '@community/infra/postgres.ts'
import { type Client, escapeLiteral } from 'pg'

export type MigrateOptions = {
  /** Of a role that may create schemas and roles in the database; may list several hosts. */
  adminUrl: string
  /** Password of each schema's runtime role; null: it can't log in, the connecting user takes it on. */
  roles: Record<string, string | null>
  log: Log
}

type Migration = { name: string; file: string }

const kitFolder = import.meta.dirname
const subgraphsFolder = join(kitFolder, '..')
const infraFolder = join(kitFolder, '..', '..', 'infra')

/**
 * Makes schemas and runtime roles, then applies what is new of the numbered SQL files, each in a transaction of its
 * own. Forward only; may run in several processes at once.
 */
export async function migrate({ adminUrl, roles, log }: MigrateOptions): Promise<void> {
  const client = await connectToPrimary(adminUrl, 'migrate')
  try {
    await prepareDatabase(client, roles)
    for (const schema of Object.keys(roles)) {
      for (const migration of await migrationsOf(schema))
        if (await apply(client, schema, migration))
          log.info({ schema, migration: migration.name }, 'migrated')
    }
  } finally {
    await client.end()
  }
}

async function prepareDatabase(client: Client, roles: Record<string, string | null>): Promise<void> {
  await client.query('begin')
  // Of all runners in this database one prepares at a time; roles are shared with other databases of the server.
  await client.query(`select pg_advisory_xact_lock(hashtextextended('migrate', 0))`)
  for (const [schema, password] of Object.entries(roles)) {
    if (!/^[a-z_]+$/.test(schema)) throw new Error(`${schema} is no schema of ours`)
    await client.query(roleStatement(schema, password))
    await client.query(schemaStatements(schema))
  }
  await client.query(closeToPublic)
  for (const schema of Object.keys(roles))
    await client.query(
      `do $$ begin execute format('grant connect on database %I to ${schema}', current_database()); end $$`,
    )
  await client.query('commit')
}

// Another database's runner may create the same role at the same moment: that is as good.
const roleStatement = (role: string, password: string | null) => `
  do $role$ begin
    if not exists (select from pg_roles where rolname = '${role}') then
      create role ${role} nologin nosuperuser nocreatedb nocreaterole noinherit;
    end if;
  exception when duplicate_object or unique_violation then null;
  end $role$;
  do $role$ begin
    if not pg_has_role(current_user, '${role}', 'set') then
      grant ${role} to current_user with set true, inherit false;
    end if;
  end $role$;
  ${password === null ? '' : `alter role ${role} login password ${escapeLiteral(password)};`}`

const schemaStatements = (schema: string) => `
  create schema if not exists ${schema};
  grant usage on schema ${schema} to ${schema};
  alter default privileges in schema ${schema} grant select, insert, update, delete on tables to ${schema};
  alter default privileges in schema ${schema} grant usage, select on sequences to ${schema};
  alter default privileges in schema ${schema} grant execute on functions to ${schema};
  create table if not exists ${schema}.migration (
    name text primary key,
    at timestamptz not null default now()
  );
  revoke all on ${schema}.migration from ${schema};`

const closeToPublic = `
  revoke all on schema public from public;
  alter default privileges revoke execute on functions from public;
  do $$ begin execute format('revoke all on database %I from public', current_database()); end $$;`

async function migrationsOf(schema: string): Promise<Migration[]> {
  if (schema === 'eventlog') return [{ name: 'infra/eventlog.sql', file: join(infraFolder, 'eventlog.sql') }]
  return [
    ...(await sqlFiles('kit', join(kitFolder, 'migrations'))),
    ...(await sqlFiles(schema, join(subgraphsFolder, schema, 'migrations'))),
  ]
}

async function sqlFiles(prefix: string, folder: string): Promise<Migration[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .toSorted()
    .map((name) => ({ name: `${prefix}/${name}`, file: join(folder, name) }))
}

/** Whether it was applied now. */
async function apply(client: Client, schema: string, { name, file }: Migration): Promise<boolean> {
  await client.query('begin')
  try {
    await client.query(`set local search_path = ${schema}`)
    // The row first: a concurrent runner waits here for us, collides and yields.
    const claimed = await client.query('insert into migration (name) values ($1) on conflict do nothing', [
      name,
    ])
    if (claimed.rowCount === 1) await client.query(await readFile(file, 'utf8'))
    await client.query('commit')
    return claimed.rowCount === 1
  } catch (error) {
    await client.query('rollback')
    throw new Error(`migration ${name} of schema ${schema} failed`, { cause: error })
  }
}
