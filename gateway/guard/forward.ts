import type { IncomingHttpHeaders } from 'node:http'
import type { Keys } from '@community/infra/keys.ts'
import type { ForwardedHeaders } from '../execute/fetch.ts'
import { createSieve } from '../sieve.ts'
import type { Principal } from './verify.ts'

/** What of a request goes along to the subgraphs. */
export type Forwarder = (
  principal: Principal,
  request: { authorization: string | undefined; headers: IncomingHttpHeaders },
) => Promise<ForwardedHeaders>

const ttlSeconds = 60
const reuseMs = 30_000

/** Where a request stands in a trace (W3C Trace Context). */
const always = ['traceparent', 'tracestate']

// What the connection, the body or the gateway itself decides about.
const never = new Set(
  `connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade
  expect host set-cookie accept accept-encoding content-encoding content-length content-type authorization
  x-ossa-principal`.split(/\s+/),
)

/**
 * The principal in a header that this gateway signs, the same for its next requests within 30 s. Without keys nobody
 * was verified here: the client's own Authorization goes along, for the subgraphs to judge. Beside these go the headers
 * that are named, in lower case. Throws where one of them may not.
 */
export function createForwarder(internal: Keys | null, named: readonly string[] = []): Forwarder {
  const forbidden = named.find((name) => never.has(name))
  if (forbidden !== undefined)
    throw new Error(`FORWARD_HEADERS: ${forbidden} is not a header that can be forwarded by name`)
  const names = [...new Set([...always, ...named])]
  const signed = createSieve<{ header: Promise<string>; until: number }>(10_000)

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

  return async (principal, { authorization, headers }) => {
    const forwarded: ForwardedHeaders = {}
    // A header that the client calls hop-by-hop is none of ours to pass on (RFC 9110, 7.6.1).
    const connection = headers.connection?.toLowerCase()
    for (const name of names) {
      const value = headers[name]
      if (typeof value === 'string' && !isListed(connection, name)) forwarded[name] = value
    }
    if (internal) forwarded['x-ossa-principal'] = await principalHeader(internal, principal)
    else if (authorization !== undefined) forwarded.authorization = authorization
    return forwarded
  }
}

const isListed = (connection: string | undefined, name: string): boolean =>
  connection !== undefined &&
  connection !== 'keep-alive' &&
  connection.split(',').some((each) => each.trim() === name)
