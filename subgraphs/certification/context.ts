import DataLoader from 'dataloader'
import { ClientError } from '../kit/errors.ts'
import { GraphError } from '../kit/graph.ts'
import { isAdministrator, requireOrganization } from '../kit/principal.ts'
import type { Floor, RequestContext } from '../kit/subgraph.ts'
import { agentFromGraph, type ExaminedAgent } from './agent.ts'
import { issueRevocations, readCertificate } from './certificate.ts'
import { type ReviewRow, reviewsOf } from './reviews/store.ts'
import {
  type CertificationRow,
  certificationsById,
  certificationsOfAgents,
  type GateRow,
  gatesOf,
  revokedCertificates,
  statusOfCertificate,
} from './store.ts'

/**
 * What has an id and is known by it alone.
 * @public the generated resolver types import it
 */
export type Reference = { id: string }

export type Context = RequestContext & {
  certifications: DataLoader<string, CertificationRow | null>
  ofAgents: DataLoader<string, CertificationRow | null>
  gates: DataLoader<string, GateRow[]>
  reviews: DataLoader<string, ReviewRow[]>
  /** The agent as the caller sees it now. */
  agent: (agentId: string) => Promise<ExaminedAgent | null>
  verify: (certificate: string) => Promise<{ certificationId: string | null; reason: string | null }>
  certificateKeys: () => object
  revocations: () => Promise<string>
  /** Whether the caller speaks for this installation. */
  isHome: boolean
}

export function createContext(base: RequestContext, floor: Floor): Context {
  const { db, principal } = base
  const { keys, config } = floor
  return {
    ...base,
    certifications: new DataLoader((ids) => certificationsById(db, ids)),
    ofAgents: new DataLoader((ids) => certificationsOfAgents(db, ids)),
    gates: new DataLoader((ids) => gatesOf(db, ids)),
    reviews: new DataLoader((ids) => reviewsOf(db, ids)),
    async agent(agentId) {
      const caller = {
        subject: principal.subject,
        organization: requireOrganization(principal),
        administrator: isAdministrator(principal),
      }
      return await agentFromGraph(floor, caller, agentId).catch((error: unknown) => {
        if (!(error instanceof GraphError)) throw error
        const message = `the agent ${agentId} can not be looked up now, try again`
        throw Object.assign(new ClientError('UNAVAILABLE', message), { cause: error })
      })
    },
    async verify(certificate) {
      const read = await readCertificate(keys.certificate, config.jwtIssuer, certificate)
      if ('reason' in read) return { certificationId: null, reason: read.reason }
      const { certificationId } = read
      const row = await statusOfCertificate(db, certificationId)
      const inForce = row?.status === 'CERTIFIED' && row.certificate === certificate
      const reason = inForce
        ? null
        : row
          ? `its certification is ${row.status}`
          : 'there is no such certification'
      return { certificationId, reason }
    },
    certificateKeys: () => keys.certificate.publicJwks(),
    isHome: principal.organization === config.homeOrganization,
    revocations: async () =>
      await issueRevocations(keys.certificate, config.jwtIssuer, await revokedCertificates(db)),
  }
}
