import type { Db } from '@community/infra/postgres.ts'
import { type Checked, checkPlan } from './check.ts'
import type { Planned } from './check-agents.ts'
import type { Written } from './definition.ts'
import type { Fleet } from './fleet.ts'
import { knownAgents } from './known.ts'
import { refusal } from './source.ts'
import type { RunRow } from './store.ts'

/** What came of a plan that was handed in. */
export type Submission = { plan: RunRow | null; steps: readonly Planned[] }

/** A plan that can be run in the organization's name, with the agents that `db` lets be seen. Throws a ClientError with all that is wrong. */
export async function checkedPlan(
  db: Db,
  fleet: Fleet,
  organizationId: string,
  { plan, source }: Written,
): Promise<Checked> {
  const checked = checkPlan(plan, await knownAgents(db, await fleet(), plan, organizationId))
  if (checked.problems.length > 0) throw refusal(source, checked.problems)
  return checked
}
