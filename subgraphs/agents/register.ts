import type { Transaction } from '@community/infra/postgres.ts'
import { compare } from 'semver'
import { checkEndpoint, hasAddress } from '../kit/endpoint.ts'
import { badInput, conflict, forbidden } from '../kit/errors.ts'
import { administratorScope, isAdministrator, type Principal, requireOrganization } from '../kit/principal.ts'
import type { RequestContext } from '../kit/subgraph.ts'
import { announceAgent } from './events.ts'
import type { Manifest, Reading } from './manifest.ts'
import type { Visibility } from './schema.generated.ts'
import {
  agentExists,
  idOfName,
  insertSubtype,
  lockAgent,
  lockName,
  manifestEquals,
  organizationExists,
  upsertAgent,
} from './store.ts'

type Registration = {
  manifest: Manifest
  organizationId: string
  homeOrganization: string
  /** An organization that is not yet known becomes so. */
  mayAdmit: boolean
  traceparent?: string | undefined
}

/** Registers for the caller's organization what they may register; the agent's id. */
export async function register(context: Registrar, manifest: Manifest): Promise<string> {
  const { principal, mutate, home: homeOrganization, traceparent, endpointAllow } = context
  const organizationId = requireOrganization(principal)
  requireVisible(principal, manifest.visibility)
  const read = await withKnownHost(manifest)
  if (read.endpoint !== null) requireEndpoint(await checkEndpoint(read.endpoint, endpointAllow), read.reading)
  const mayAdmit = isAdministrator(principal)
  return await mutate((tx) =>
    registerAgent(tx, { manifest: read, organizationId, homeOrganization, mayAdmit, traceparent }),
  )
}

export type Registrar = RequestContext & { home: string; endpointAllow: readonly string[] }

/** A foreign document may name a host that is known only where it comes from: it is an agent without an endpoint here. */
async function withKnownHost(manifest: Manifest): Promise<Manifest> {
  const { endpoint, reading } = manifest
  if (endpoint === null || reading.profile === null || (await hasAddress(endpoint))) return manifest
  const remark = `endpoint: none, since the host of ${endpoint} has no address`
  return { ...manifest, endpoint: null, reading: { ...reading, remarks: [...reading.remarks, remark] } }
}

/** The agent's id. The same manifest again changes nothing; a changed one needs a higher version. */
async function registerAgent(tx: Transaction, registration: Registration): Promise<string> {
  const { manifest, organizationId, homeOrganization, mayAdmit, traceparent } = registration
  await lockName(tx, organizationId, manifest.name)
  if (!(await organizationExists(tx, organizationId, mayAdmit)))
    throw forbidden(
      `the organization ${organizationId} is not known: its first use needs a token with the scope org:admin`,
    )
  const id =
    (await idOfName(tx, organizationId, manifest.name)) ??
    agentId(organizationId, manifest.name, homeOrganization)
  const current = await lockAgent(tx, id)
  if (current) {
    if (current.status === 'RETIRED') throw conflict(`${id} is retired: register it under another name`)
    if (await manifestEquals(tx, id, manifest.document)) return id
    if (compare(manifest.version, current.version) <= 0)
      throw conflict(
        `${id} is registered as version ${current.version}: a changed manifest needs a higher one, not ${manifest.version}`,
      )
  } else if (await agentExists(tx, id)) {
    throw conflict(
      `${id} is the id of an agent that belongs to others, or that you may not see: register yours under another name`,
    )
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
function requireEndpoint(reason: string | null, { profile }: Reading): void {
  if (reason !== null)
    throw badInput(
      `the endpoint is refused: ${reason}`,
      profile === null ? 'source#/spec/endpoint' : 'source',
      'a public http or https URL, or one in a range that the operator allows',
    )
}
