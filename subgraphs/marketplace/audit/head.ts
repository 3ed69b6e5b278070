import type { Keys } from '@community/infra/keys.ts'

const audience = 'audit-head'
const ttlSeconds = 10 * 365 * 24 * 60 * 60

/**
 * A compact JWS (EdDSA) by the keys of certificates: how the log ended when it was asked. Whoever keeps it can show later that
 * an end was cut off, or everything written anew.
 */
export async function signHead(
  keys: Keys,
  issuer: string,
  organizationId: string,
  { sequence, hash }: { sequence: number; hash: string },
): Promise<string> {
  return await keys.sign({ sequence, hash }, { audience, issuer, subject: organizationId, ttlSeconds })
}
