import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../../kit/outbox.ts'
import type { InstallationRow } from './store.ts'

/** Tells of an installation as a change has just left it. */
export async function announceInstallation(
  tx: Transaction,
  { id, organizationId, agentId, state, pinnedVersion, updatePolicy, version, updatedAt }: InstallationRow,
  traceparent?: string,
): Promise<void> {
  await announce(tx, {
    aggregateId: id,
    type: 'InstallationChange',
    version,
    value: {
      __typename: 'InstallationChange',
      id,
      installation: {
        __typename: 'Installation',
        id,
        organizationId,
        agentId,
        state,
        pinnedVersion,
        updatePolicy,
      },
      version,
      at: updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}
