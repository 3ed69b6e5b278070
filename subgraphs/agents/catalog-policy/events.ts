import { z } from 'zod'
import { catalogPolicy } from '../../kit/catalog-policy.ts'
import type { Handlers } from '../../kit/inbox.ts'
import { noteInstallation, notePolicy } from './store.ts'

export const handlers: Handlers = {
  async 'ossa.marketplace.CatalogPolicyChange'(tx, value) {
    await notePolicy(tx, policyChange.parse(value))
  },
  async 'ossa.marketplace.InstallationChange'(tx, value) {
    const { installation, version, at } = installationChange.parse(value)
    await noteInstallation(tx, { ...installation, version, at })
  },
}

const policyChange = z.object({
  organizationId: z.string().min(1),
  policy: catalogPolicy,
  version: z.number().int(),
})

const installationChange = z.object({
  installation: z.object({
    id: z.string().min(1),
    organizationId: z.string().min(1),
    agentId: z.string().min(1),
    state: z.string(),
    pinnedVersion: z.string().nullable(),
    updatePolicy: z.enum(['PINNED', 'PATCH', 'MINOR', 'LATEST']),
  }),
  version: z.number().int(),
  at: z.coerce.date(),
})
