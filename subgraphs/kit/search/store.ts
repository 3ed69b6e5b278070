import type { Db, Transaction } from '@community/infra/postgres.ts'

/** Packed vectors by the digest of their text; those that are not there are left out. */
export async function vectorsOf(
  db: Db,
  model: string,
  digests: readonly string[],
): Promise<Map<string, Uint8Array>> {
  const { rows } = await db.query<{ digest: string; vector: Buffer }>(
    'select digest, vector from embedding where model = $1 and digest = any($2)',
    [model, digests],
  )
  return new Map(rows.map(({ digest, vector }) => [digest, vector]))
}

export async function insertVectors(
  tx: Transaction,
  model: string,
  vectors: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  await tx.query(
    `insert into embedding (model, digest, vector)
     select $1, digest, decode(vector, 'hex') from unnest($2::text[], $3::text[]) as made (digest, vector)
     on conflict do nothing`,
    [
      model,
      [...vectors.keys()],
      Array.from(vectors.values(), (vector) => Buffer.from(vector).toString('hex')),
    ],
  )
}

/** Whether nobody else in this database makes vectors with this model; holds until the transaction ends. */
export async function claimEmbedding(tx: Transaction, model: string): Promise<boolean> {
  const { rows } = await tx.query<{ claimed: boolean }>(
    `select pg_try_advisory_xact_lock(hashtextextended('embedding ' || $1, 0)) as claimed`,
    [model],
  )
  return rows[0]?.claimed ?? false
}

export async function databaseTime(db: Db): Promise<Date> {
  const { rows } = await db.query<{ at: Date }>('select now() as at')
  return rows[0]?.at ?? new Date(0)
}

/** The audiences that the caller may see, as `audienceOf` names them. */
export async function audiencesSeen(db: Db): Promise<Set<string>> {
  const { rows } = await db.query<{ name: string }>(
    `select visibility || ' ' || organization_id as name from audience where visibility <> 'PUBLIC'
     union all (select visibility from audience where visibility = 'PUBLIC' limit 1)`,
  )
  return new Set(rows.map(({ name }) => name))
}

/** What is PUBLIC is one audience, whoever owns it: there may be thousands of owners. */
export const audienceOf = ({ organizationId, visibility }: { organizationId: string; visibility: string }) =>
  visibility === 'PUBLIC' ? visibility : `${visibility} ${organizationId}`
