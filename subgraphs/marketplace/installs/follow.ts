import { inTransaction, type Pool, type Transaction } from '@community/infra/postgres.ts'
import { type CatalogPolicy, policyRefusal } from '../../kit/catalog-policy.ts'
import { type Repeated, repeat } from '../../kit/repeat.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { record } from '../audit/store.ts'
import { policiesOf } from '../policies/store.ts'
import type { InstallationAvailability } from '../schema.generated.ts'
import { announceInstallation } from './announce.ts'
import { countInstallations } from './report.ts'
import { type InstallationChanges, type InstallationRow, move } from './store.ts'
import { askForNext, endTurn, nextAgent, type Turn, takeTurn } from './turns.ts'
import { follows } from './update-policy.ts'

const everyMs = 1_000
const batch = 50
const by = 'marketplace'

/** Lets installations follow their agents: to other versions, and into retirement; and policies that let them. */
export const keepFollowing = ({ pool, log, nudge }: Pick<Floor, 'pool' | 'log' | 'nudge'>): Repeated =>
  repeat({ everyMs, log, problem: 'installations can not follow their agents for now' }, async (signal) => {
    while (!signal.aborted && (await followNext(pool))) nudge()
  })

/** Whether there was anything to do. */
async function followNext(pool: Pool): Promise<boolean> {
  const agentId = await inTransaction(pool, internalSettings, nextAgent)
  // An organization's agents are asked for when all others have had their turn: it may have installed very many.
  if (agentId === null) return await inTransaction(pool, internalSettings, (tx) => askForNext(tx, batch))
  await inTransaction(pool, internalSettings, (tx) => followAgent(tx, agentId))
  return true
}

async function followAgent(tx: Transaction, agentId: string): Promise<void> {
  const turn = await takeTurn(tx, agentId)
  if (!turn) return
  await noteOwner(tx, turn)
  const followers = await followersOf(tx, turn)
  const policies = await policiesOf(tx, [...new Set(followers.map((each) => each.organizationId))])
  const updated: InstallationRow[] = []
  for (const follower of followers) {
    const changes = changesOf(follower, turn, policies.get(follower.organizationId))
    if (!changes) continue
    const row = await move(tx, follower.id, follower.state, changes, { by, why: reasonOf(changes) })
    if (!row) continue
    await announceInstallation(tx, row)
    if (changes.pinnedVersion !== undefined) updated.push(row)
  }
  await countInstallations(tx, agentId)
  await endTurn(tx, agentId, followers.length < batch ? null : (followers.at(-1)?.id ?? null))
  // Logs are locked in one order, whoever else does this at the same time.
  for (const { organizationId, id, pinnedVersion } of updated.toSorted(byOrganization))
    await record(tx, {
      organizationId,
      actor: by,
      action: 'installation.update',
      subject: id,
      details: { agentId, pinnedVersion },
    })
}

const byOrganization = (one: InstallationRow, other: InstallationRow) =>
  one.organizationId < other.organizationId ? -1 : 1

type Follower = Pick<
  InstallationRow,
  'id' | 'organizationId' | 'state' | 'pinnedVersion' | 'updatePolicy' | 'availability'
> & { settledVersion: string | null; isSeen: boolean }

async function noteOwner(tx: Transaction, { agentId, organizationId }: Turn): Promise<void> {
  await tx.query(
    `update installation set owner_id = $2
     where agent_id = $1 and owner_id <> $2 and state in ('REQUESTED', 'INSTALLED')`,
    [agentId, organizationId],
  )
}

async function followersOf(tx: Transaction, { agentId, after }: Turn): Promise<Follower[]> {
  const { rows } = await tx.query<Follower>(
    `select i.id, i.organization_id as "organizationId", i.state, i.pinned_version as "pinnedVersion",
       i.update_policy as "updatePolicy", i.availability, i.settled_version as "settledVersion",
       l.visibility = 'PUBLIC' or l.organization_id = i.organization_id or (l.visibility = 'PARTNERS' and exists (
         select from partner as p where p.organization_id = l.organization_id and p.partner_id = i.organization_id
       )) as "isSeen"
     from installation as i join listing as l using (agent_id)
     where i.agent_id = $1 and i.state in ('REQUESTED', 'INSTALLED') and ($2::uuid is null or i.id > $2)
     order by i.id limit $3`,
    [agentId, after, batch],
  )
  return rows
}

function changesOf(
  {
    organizationId,
    state,
    pinnedVersion,
    updatePolicy,
    availability: before,
    settledVersion,
    isSeen,
  }: Follower,
  turn: Turn,
  policy: CatalogPolicy | undefined,
): InstallationChanges | null {
  const availability: InstallationAvailability = !isSeen ? 'HIDDEN' : turn.isRetired ? 'RETIRED' : 'AVAILABLE'
  const { agentVersion, organizationId: publisher } = turn
  const facts = { ...turn, type: turn.type.toUpperCase(), publisher }
  const isFollowed =
    availability === 'AVAILABLE' &&
    state === 'INSTALLED' &&
    agentVersion !== null &&
    agentVersion !== settledVersion &&
    follows(updatePolicy, pinnedVersion, agentVersion) &&
    (!policy || publisher === organizationId || policyRefusal(policy, facts) === null)
  if (availability === before && !isFollowed) return null
  return {
    ...(availability !== before && { availability }),
    ...(isFollowed && { pinnedVersion: agentVersion, settledVersion: agentVersion }),
  }
}

const reasons: Record<InstallationAvailability, string> = {
  AVAILABLE: 'the agent can be had again',
  RETIRED: 'the agent is retired',
  HIDDEN: 'the agent is not shown to the organization any more',
}

const reasonOf = ({ availability, pinnedVersion }: InstallationChanges): string =>
  [availability && reasons[availability], pinnedVersion && `the agent has the version ${pinnedVersion}`]
    .filter(Boolean)
    .join(', ')
