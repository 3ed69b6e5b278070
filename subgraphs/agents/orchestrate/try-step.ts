import { attempt, type Done } from './attempt.ts'
import type { BudgetStrategy, PlanStepDefinition } from './definition.ts'
import type { Execution, State } from './execution.ts'
import { NoTokensLeft } from './failure.ts'
import { awaitingTokens, failed, started, succeeded } from './step-transitions.ts'
import type { StepRow } from './store.ts'
import { isPatient, strategyOf } from './strategy.ts'

/** `step` is null of an action on a selection; `tokens` are those that its call is known to need. */
export type Try = {
  step: PlanStepDefinition | null
  row: StepRow
  iteration: number
  tokens: number | null
  act: (row: StepRow) => Promise<Done>
}

/**
 * One try of a step, from its start to its end, or until it has to wait for tokens. One that its last owner left RUNNING
 * goes on without being started again.
 */
export async function tryStep(
  execution: Execution,
  state: State,
  { step, row, iteration, tokens, act }: Try,
): Promise<void> {
  const { journal, claim } = execution
  const strategy = strategyOf(claim.definition, step)
  if (row.status !== 'RUNNING') {
    const recorded = journal.record(started(row)(journal, iteration))
    // In the transaction that starts the step. Who was first in line passes those who wait behind.
    if (row.awaitsTokens !== null) state.budget.reserveNow(row.id, row.awaitsTokens)
    else if (tokens !== null) state.budget.reserveNow(row.id, tokens, strategy)
    await recorded
  }
  const current = journal.steps.get(row.id) ?? row
  const outcome = await attempt(execution, state, row.id, () => orShort(strategy, () => act(current)))
  // Of what was set aside for a call that was not made nothing was used.
  if ((journal.steps.get(row.id)?.reserved ?? 0) > 0) state.budget.settle(row.id, 0)
  const move =
    'awaits' in outcome
      ? awaitingTokens(claim.definition, strategy, current, outcome.awaits)
      : 'error' in outcome
        ? failed(step, current, outcome, Date.now())
        : succeeded(current, outcome)
  // What comes next is begun with it, in the same transaction.
  journal.note(move(journal, iteration))
}

/** What a try came to, or how many tokens it lacks where it can wait for them. */
async function orShort(
  strategy: BudgetStrategy,
  act: () => Promise<Done>,
): Promise<Done | { awaits: number }> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof NoTokensLeft && isPatient(strategy)) return { awaits: error.tokens }
    throw error
  }
}
