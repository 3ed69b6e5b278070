import { openKeys } from '@community/infra/keys.ts'
import { inject } from 'vitest'
import { ask } from '../client.ts'

const world = inject('world')

/** Of somebody of an organization, good for a quarter of an hour. */
export async function tokenOf(organization: string, ...scopes: string[]): Promise<string> {
  const issuer = await openKeys(world.keysDir, 'issuer')
  return await issuer.sign(
    { org: organization, scope: scopes.join(' ') },
    {
      audience: 'community',
      issuer: 'community',
      subject: `someone of ${organization}`,
      ttlSeconds: 900,
    },
  )
}

/** What has to succeed. */
export async function act<T>(
  token: string,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<T> {
  const { data, errors } = await ask<T>(world.graphqlUrl, query, variables, token)
  if (!data || errors) throw new Error(JSON.stringify(errors))
  return data
}
