import type { MarketplaceFloor } from '../floor.ts'
import { signHead } from './head.ts'

type Head = { sequence: number; hash: string }

export const auditContext = ({ keys, config }: Pick<MarketplaceFloor, 'keys' | 'config'>) => ({
  /** How an organization's audit log ends, signed. */
  signAuditHead: (organizationId: string, head: Head) =>
    signHead(keys.certificate, config.jwtIssuer, organizationId, head),
})
