import type { Transaction } from '@community/infra/postgres.ts'
import type { ObservedCertificate } from './detect.ts'

export type Told = {
  id: string
  agentId: string
  level: string
  status: string
  agentVersion?: string | null | undefined
  expiresAt?: Date | null | undefined
  at: Date
}

const ended: readonly string[] = ['CERTIFIED', 'EXPIRED', 'REVOKED']

/** What of a certification decides whether an agent's certificate is in force; one that is still going changes nothing. */
export async function noteCertificate(tx: Transaction, told: Told): Promise<void> {
  if (!ended.includes(told.status)) return
  await tx.query(
    `insert into certificate (agent_id, certification_id, level, status, agent_version, expires_at, at)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (agent_id) do update set certification_id = excluded.certification_id, level = excluded.level,
       status = excluded.status, agent_version = coalesce(excluded.agent_version, certificate.agent_version),
       expires_at = excluded.expires_at, at = excluded.at
     where certificate.at <= excluded.at and (
       excluded.status = 'CERTIFIED' or excluded.certification_id = certificate.certification_id
     )`,
    [
      told.agentId,
      told.id,
      told.level,
      told.status,
      told.agentVersion ?? null,
      told.expiresAt ?? null,
      told.at,
    ],
  )
}

/** Those that are not in force any more, or end before then. */
export async function endingCertificates(tx: Transaction, before: Date): Promise<ObservedCertificate[]> {
  const { rows } = await tx.query<ObservedCertificate>(
    `select certification_id as "certificationId", agent_id as "agentId", status, expires_at as "expiresAt"
     from certificate where status <> 'CERTIFIED' or expires_at <= $1 order by agent_id limit 1000`,
    [before],
  )
  return rows
}

export type CertificateRow = {
  level: string
  status: string
  agentVersion: string | null
  expiresAt: Date | null
}

export async function certificateOf(tx: Transaction, agentId: string): Promise<CertificateRow | null> {
  const { rows } = await tx.query<CertificateRow>(
    `select level, status, agent_version as "agentVersion", expires_at as "expiresAt" from certificate
     where agent_id = $1`,
    [agentId],
  )
  return rows[0] ?? null
}
