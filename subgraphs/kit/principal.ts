import type { IncomingHttpHeaders } from 'node:http'
import type { Keys } from '@community/infra/keys.ts'
import { z } from 'zod'
import { ClientError, forbidden } from './errors.ts'

/** Who asks. Anonymous callers have the subject `anonymous`, no organization and no scopes. */
export type Principal = {
  readonly subject: string
  readonly organization: string | null
  readonly scopes: readonly string[]
}

const maxAgeSeconds = 60

const claims = z.object({
  sub: z.string().min(1),
  org: z.string().min(1).nullish(),
  scope: z.string().default(''),
  iat: z.number(),
  exp: z.number(),
})

/** Of the header that the gateway signs, valid for 60 s at most. Throws UNAUTHENTICATED without a good one. */
export async function principalOf(headers: IncomingHttpHeaders, keys: Keys): Promise<Principal> {
  const token = headers['x-ossa-principal']
  if (typeof token !== 'string') throw unauthenticated('subgraphs answer the gateway only')
  const verified = await keys.verify(token, { audience: 'subgraph' }).catch(() => null)
  const parsed = claims.safeParse(verified)
  if (!parsed.success || parsed.data.exp - parsed.data.iat > maxAgeSeconds)
    throw unauthenticated('x-ossa-principal is not a valid token of the gateway')
  const { sub, org, scope } = parsed.data
  return { subject: sub, organization: org ?? null, scopes: scope.split(' ').filter(Boolean) }
}

export function requireScope(principal: Principal, scope: string): void {
  if (!principal.scopes.includes(scope)) throw forbidden(`this needs the scope ${scope}`)
}

/** The scope of an organization's administrators. */
export const administratorScope = 'org:admin'

/** Whether it sees what is PRIVATE to its organization. */
export const isAdministrator = ({ organization, scopes }: Principal): boolean =>
  organization !== null && scopes.includes(administratorScope)

/**
 * Whether it may be told of a version of what it sees: one from before that came to be visible to more, at `seenSince`, is for
 * its owner's administrators alone.
 */
export const mayBeToldOf = (
  principal: Principal,
  { organizationId, seenSince }: { organizationId: string; seenSince: number },
  version: number,
): boolean =>
  version >= seenSince || (isAdministrator(principal) && principal.organization === organizationId)

/** The caller's organization. */
export function requireOrganization(principal: Principal): string {
  if (principal.organization === null) throw forbidden('this needs a token of an organization')
  return principal.organization
}

/** The organization that the caller is an administrator of. */
export function requireAdministrator(principal: Principal): string {
  const organization = requireOrganization(principal)
  requireScope(principal, administratorScope)
  return organization
}

const unauthenticated = (message: string) => new ClientError('UNAUTHENTICATED', message)
