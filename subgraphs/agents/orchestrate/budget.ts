import type { BudgetStrategy } from './definition.ts'
import type { Journal } from './journal.ts'
import { isPatient } from './strategy.ts'

/** The strategy of the step whose call it is, or that the call undoes one. */
export type Purpose = BudgetStrategy | 'undo'

export type Budget = {
  /** Sets tokens aside with the transition that is about to be recorded; false where they don't fit now. */
  reserveNow(stepId: string, tokens: number, purpose?: Purpose): boolean
  /**
   * Sets tokens aside for a step's call, if they are not already, and resolves when that is written; waits for calls under
   * way before it says that they don't fit, except for a step that waits in line. What undoing the steps under way and done
   * may take is for calls that undo.
   */
  reserve(stepId: string, tokens: number, purpose?: Purpose): Promise<boolean>
  /**
   * Exchanges what was set aside for what was used, null where nobody knows: then all of it was. Written with the
   * transition that ends the step. Returns the tokens beyond what the budget had left.
   */
  settle(stepId: string, used: number | null): number
}

/** A run's tokens, of which spent and reserved never exceed what is allocated: a constraint of the run's row. */
export function openBudget(journal: Journal): Budget {
  const underWay = new Set<string>()
  let settled = Promise.withResolvers<void>()
  const reservedFor = (stepId: string) => journal.steps.get(stepId)?.reserved ?? 0

  const reserveNow = (stepId: string, tokens: number, purpose: Purpose = 'block'): boolean => {
    if (journal.left(purpose === 'undo') < tokens) return false
    // Who could wait does not pass those who do.
    if (purpose !== 'undo' && isPatient(purpose) && journal.firstInLine()) return false
    void journal.account(stepId, { reserved: tokens })
    underWay.add(stepId)
    return true
  }
  return {
    reserveNow,
    async reserve(stepId, tokens, purpose) {
      for (;;) {
        if (underWay.has(stepId)) return true
        if (reserveNow(stepId, tokens, purpose)) {
          await journal.written()
          return true
        }
        if (underWay.size === 0 || purpose === 'queue') return false
        await settled.promise
        journal.throwIfBroken()
      }
    },
    settle(stepId, used) {
      const reserved = reservedFor(stepId)
      const left = journal.left(true) + reserved
      const tokens = used ?? reserved
      void journal.account(stepId, { reserved: -reserved, spent: Math.min(tokens, left), used: tokens })
      underWay.delete(stepId)
      settled.resolve()
      settled = Promise.withResolvers()
      return Math.max(tokens - left, 0)
    },
  }
}
