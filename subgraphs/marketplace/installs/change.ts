import type { Transaction } from '@community/infra/postgres.ts'
import { conflict } from '../../kit/errors.ts'
import { internally } from '../../kit/subgraph.ts'
import { record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import { announceInstallation } from './announce.ts'
import { countInstallations } from './report.ts'
import {
  type InstallationChanges,
  type InstallationRow,
  insertInstallation,
  lockListing,
  move,
  type NewInstallation,
} from './store.ts'
import { askForTurn } from './turns.ts'

/** A new one; `made` is asked with the listing locked, and may refuse. */
export async function begin(
  context: Context,
  agentId: string,
  made: (tx: Transaction) => Promise<NewInstallation>,
): Promise<InstallationRow> {
  return await context.mutate(async (tx) => {
    await internally(tx, () => lockListing(tx, agentId))
    const installation = await made(tx)
    const row = await insertInstallation(tx, installation)
    if (!row)
      throw conflict(`${installation.organizationId} has ${agentId} installed, or has asked for it, already`)
    await tell(tx, context, row, row.state === 'REQUESTED' ? 'request' : 'install', null)
    return row
  })
}

type Change = {
  /** What the audit log calls it. */
  action: 'update' | 'remove' | 'approve' | 'deny'
  changes: InstallationChanges
  why?: string
  /** With the listing locked; may refuse. */
  check?: (tx: Transaction) => Promise<void>
}

/** A person's change of one that is as it was seen. */
export async function change(
  context: Context,
  { id, agentId, state }: InstallationRow,
  { action, changes, why, check }: Change,
): Promise<InstallationRow> {
  const { principal, mutate } = context
  return await mutate(async (tx) => {
    await internally(tx, () => lockListing(tx, agentId))
    await check?.(tx)
    const row = await move(tx, id, state, changes, { by: principal.subject, why: why ?? null })
    if (!row) throw conflict(`the installation ${id} is not ${state} any more`)
    await tell(tx, context, row, action, why ?? null)
    return row
  })
}

async function tell(
  tx: Transaction,
  { principal, traceparent }: Context,
  row: InstallationRow,
  action: string,
  why: string | null,
): Promise<void> {
  const { id, agentId, organizationId, pinnedVersion, updatePolicy } = row
  await internally(tx, async () => {
    await countInstallations(tx, agentId)
    // The agent may have changed since the graph told of it.
    await askForTurn(tx, agentId)
  })
  await announceInstallation(tx, row, traceparent)
  await record(tx, {
    organizationId,
    actor: principal.subject,
    action: `installation.${action}`,
    subject: id,
    details: { agentId, pinnedVersion, updatePolicy, ...(why !== null && { why }) },
  })
}
