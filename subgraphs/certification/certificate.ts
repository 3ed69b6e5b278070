import { createHash } from 'node:crypto'
import type { Keys } from '@community/infra/keys.ts'
import canonicalize from 'canonicalize'
import { decodeJwt, errors } from 'jose'
import { z } from 'zod'
import type { CertificationRow, GateRow } from './store.ts'

const audience = 'certificate'
const revocationsAudience = 'certificate-revocations'
const daySeconds = 24 * 60 * 60
const ttlSeconds = 90 * daySeconds

/**
 * A compact JWS (EdDSA) over what was certified. Whoever has the certification's gates can check that their evidence
 * is what was signed: `evidenceSha256` is of its canonical JSON (RFC 8785).
 */
export async function issueCertificate(
  keys: Keys,
  issuer: string,
  { id, agentId, agentVersion, level }: CertificationRow,
  gates: readonly GateRow[],
): Promise<{ certificate: string; expiresAt: Date }> {
  const claims = {
    jti: id,
    certificationId: id,
    agentId,
    agentVersion,
    level,
    gates: gates.map(({ name, verdict, evidence }) => ({
      name,
      verdict,
      evidenceSha256: createHash('sha256')
        .update(canonicalize(evidence) ?? '')
        .digest('hex'),
    })),
  }
  const certificate = await keys.sign(claims, { audience, issuer, subject: agentId, ttlSeconds })
  const { exp = 0 } = decodeJwt(certificate)
  return { certificate, expiresAt: new Date(exp * 1000) }
}

const claimed = z.object({ certificationId: z.uuid() })

/** The certification that a certificate of ours was issued for, or why it is none of ours that is valid. */
export async function readCertificate(
  keys: Keys,
  issuer: string,
  certificate: string,
): Promise<{ certificationId: string } | { reason: string }> {
  try {
    return claimed.parse(await keys.verify(certificate, { audience, issuer }))
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { reason: 'it has expired' }
    if (error instanceof errors.JOSEError) return { reason: 'it is not signed by us, or was changed' }
    throw error
  }
}

/** A compact JWS (EdDSA) by the same keys, for a day: certificates that were taken back before their end. */
export async function issueRevocations(
  keys: Keys,
  issuer: string,
  revoked: readonly { id: string; revokedAt: Date }[],
): Promise<string> {
  const claims = { revoked: revoked.map(({ id, revokedAt }) => ({ id, at: revokedAt.toISOString() })) }
  return await keys.sign(claims, { audience: revocationsAudience, issuer, ttlSeconds: daySeconds })
}
