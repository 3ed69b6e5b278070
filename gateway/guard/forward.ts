import type { Keys } from '@community/infra/keys.ts'
import type { ForwardedHeaders } from '../execute/fetch.ts'
import { createLru } from '../lru.ts'
import type { Principal } from './verify.ts'

/** What of a request goes along to the subgraphs. */
export type Forwarder = (
  principal: Principal,
  request: { authorization: string | undefined; traceparent: string | undefined },
) => Promise<ForwardedHeaders>

const ttlSeconds = 60
const reuseMs = 30_000

/**
 * The principal in a header that this gateway signs, the same for its next requests within 30 s. Without keys nobody
 * was verified here: the client's own Authorization goes along, for the subgraphs to judge.
 */
export function createForwarder(internal: Keys | null): Forwarder {
  const signed = createLru<{ header: Promise<string>; until: number }>(10_000)

  function principalHeader(keys: Keys, { subject, organization, scopes }: Principal): Promise<string> {
    const claims = { scope: scopes.join(' '), ...(organization === null ? {} : { org: organization }) }
    const name = JSON.stringify([subject, organization, claims.scope])
    const known = signed.get(name)
    if (known && known.until > Date.now()) return known.header
    const header = keys.sign(claims, { audience: 'subgraph', subject, ttlSeconds })
    signed.set(name, { header, until: Date.now() + reuseMs })
    header.catch(() => signed.delete(name))
    return header
  }

  return async (principal, { authorization, traceparent }) => ({
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(internal ? { 'x-ossa-principal': await principalHeader(internal, principal) } : {}),
    ...(!internal && authorization !== undefined ? { authorization } : {}),
  })
}
