import type { BudgetStrategy, PlanDefinition, PlanStepDefinition } from './definition.ts'

/** The step's own, or the plan's; `step` is null of an action on a selection. */
export const strategyOf = (plan: PlanDefinition, step: PlanStepDefinition | null): BudgetStrategy =>
  (step && 'budgetStrategy' in step ? step.budgetStrategy : undefined) ?? plan.budgetStrategy

/** Whether a step waits for tokens that are lacking. */
export const isPatient = (strategy: BudgetStrategy): boolean =>
  strategy === 'queue' || strategy === 'escalate'
