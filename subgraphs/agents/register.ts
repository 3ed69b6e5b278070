import type { Transaction } from '@community/infra/postgres.ts'
import { compare } from 'semver'
import { badInput, conflict, forbidden } from '../kit/errors.ts'
import { administratorScope, isAdministrator, type Principal } from '../kit/principal.ts'
import { announceAgent } from './events.ts'
import type { Manifest } from './manifest.ts'
import type { Visibility } from './schema.generated.ts'
import {
  agentExists,
  insertSubtype,
  lockAgent,
  lockId,
  manifestEquals,
  organizationExists,
  upsertAgent,
} from './store.ts'

export type Registration = {
  manifest: Manifest
  organizationId: string
  homeOrganization: string
  /** An organization that is not yet known becomes so. */
  mayAdmit: boolean
  traceparent?: string | undefined
}

/** The agent's id. The same manifest again changes nothing; a changed one needs a higher version. */
export async function registerAgent(tx: Transaction, registration: Registration): Promise<string> {
  const { manifest, organizationId, homeOrganization, mayAdmit, traceparent } = registration
  const id = agentId(organizationId, manifest.name, homeOrganization)
  await lockId(tx, id)
  if (!(await organizationExists(tx, organizationId, mayAdmit)))
    throw forbidden(
      `the organization ${organizationId} is not known: its first use needs a token with the scope org:admin`,
    )
  const current = await lockAgent(tx, id)
  if (current) {
    if (current.status === 'RETIRED') throw conflict(`${id} is retired: register it under another name`)
    if (await manifestEquals(tx, id, manifest.document)) return id
    if (compare(manifest.version, current.version) <= 0)
      throw conflict(
        `${id} is registered as version ${current.version}: a changed manifest needs a higher one, not ${manifest.version}`,
      )
  } else if (await agentExists(tx, id)) {
    throw conflict(`${id} is the id of an agent that you may not see: register yours under another name`)
  }
  await insertSubtype(tx, {
    name: manifest.subtype,
    type: manifest.type,
    description: describeSubtype(manifest),
  })
  await upsertAgent(tx, id, organizationId, manifest)
  await announceAgent(tx, id, current?.status ?? null, traceparent)
  return id
}

export const agentId = (organizationId: string, name: string, homeOrganization: string) =>
  organizationId === homeOrganization ? name : `${organizationId}/${name}`

/** Refuses to make what its maker would not see: only administrators own what only administrators see. */
export function requireVisible(principal: Principal, visibility: Visibility): void {
  if (visibility === 'PRIVATE' && !isAdministrator(principal))
    throw forbidden(`what is PRIVATE is made by administrators: this needs the scope ${administratorScope}`)
}

/** Of a subtype's first agent; one that is not for everybody gives away no more than the subtype's name. */
function describeSubtype({ subtype, description, visibility }: Manifest): string {
  const [sentence] = /^.+?[.!?](?=\s|$)/s.exec(description) ?? [description]
  if (visibility === 'PUBLIC') return sentence
  const [type, ...rest] = subtype.split('.')
  return `${rest.join(', ').replaceAll('-', ' ')}, done by agents of the type ${type}`
}

/** Refuses an endpoint that the installation does not let agents live at. */
export function requireEndpoint(reason: string | null): void {
  if (reason !== null)
    throw badInput(
      `the endpoint is refused: ${reason}`,
      'source#/spec/endpoint',
      'a public http or https URL, or one in a range that the operator allows',
    )
}
