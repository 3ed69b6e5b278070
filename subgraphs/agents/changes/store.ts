import type { Db } from '@community/infra/postgres.ts'

export type Comparison = { agentId: string; from: string; to: string }

/** The manifests of both versions. */
export type Pair = { before: Record<string, unknown>; after: Record<string, unknown> }

/** In the order of what is compared; null where the caller may not see one of the versions. */
export async function pairsOf(db: Db, compared: readonly Comparison[]): Promise<(Pair | null)[]> {
  const wanted = compared.flatMap(({ agentId, from, to }) =>
    [from, to].map((version) => ({ agentId, version })),
  )
  const { rows } = await db.query<{ agentId: string; version: string; manifest: Record<string, unknown> }>(
    `select v.agent_id as "agentId", v.version, v.manifest from agent_version as v
     where (v.agent_id, v.version) in (select * from unnest($1::text[], $2::text[]))`,
    [wanted.map(({ agentId }) => agentId), wanted.map(({ version }) => version)],
  )
  const key = (agentId: string, version: string) => JSON.stringify([agentId, version])
  const manifests = new Map(rows.map(({ agentId, version, manifest }) => [key(agentId, version), manifest]))
  return compared.map(({ agentId, from, to }) => {
    const [before, after] = [manifests.get(key(agentId, from)), manifests.get(key(agentId, to))]
    return before && after ? { before, after } : null
  })
}

/** @public the generated resolver types import it */
export type CategoryRow = { name: string }

/** What agents of a category do, to those who may see one; in the order of `names`, null where there is none. */
export async function subtypeDescriptions(db: Db, names: readonly string[]): Promise<(string | null)[]> {
  const { rows } = await db.query<{ name: string; description: string }>(
    `select name, description from subtype
     where name = any($1) and exists (select from agent where agent.subtype = subtype.name)`,
    [names],
  )
  const byName = new Map(rows.map(({ name, description }) => [name, description]))
  return names.map((name) => byName.get(name) ?? null)
}
