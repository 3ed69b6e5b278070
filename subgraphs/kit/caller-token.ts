import { administratorScope } from './principal.ts'
import type { Floor } from './subgraph.ts'

/** Who asks the graph; an administrator sees the organization's PRIVATE agents. */
export type Asker = { subject: string; organization: string | null; administrator: boolean }

const ttlSeconds = 60

/**
 * To ask the graph in somebody's name, with no more of the scopes than decides what is seen. Null where tokens come from
 * an external issuer: nobody here can speak for others then, what is PUBLIC is found all the same.
 */
export async function callerToken(
  { keys, config }: Pick<Floor, 'keys' | 'config'>,
  { subject, organization, administrator }: Asker,
): Promise<string | null> {
  if (keys.issuer === null) return null
  const claims =
    organization === null ? {} : { org: organization, scope: administrator ? administratorScope : '' }
  return await keys.issuer.sign(claims, {
    audience: config.jwtAudience,
    issuer: config.jwtIssuer,
    subject,
    ttlSeconds,
  })
}
