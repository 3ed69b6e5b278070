import type { StepRow } from './store.ts'

export type Tally = {
  replace(before: StepRow | undefined, after: StepRow): void
  progress(): { done: number; failed: number; total: number }
  /** What undoing the steps under way and done may take. */
  heldBack(): number
  /** Of the steps that wait for tokens the one that has to have them first; null where none waits. */
  firstInLine(): StepRow | null
}

/** Of a run's steps, kept as they change: counting a thousand anew for each event took longer than all else. */
export function openTally(): Tally {
  let done = 0
  let failed = 0
  let total = 0
  let heldBack = 0
  const line = new Map<string, StepRow>()
  const add = ({ status, undoTokens }: StepRow, sign: 1 | -1) => {
    total += sign
    if (status === 'SUCCEEDED' || status === 'SKIPPED') done += sign
    if (status === 'FAILED') failed += sign
    if (status === 'RUNNING' || status === 'SUCCEEDED') heldBack += sign * undoTokens
  }
  return {
    replace(before, after) {
      if (before) add(before, -1)
      add(after, 1)
      if (after.status === 'WAITING' && after.awaitsTokens !== null) line.set(after.id, after)
      else line.delete(after.id)
    },
    progress: () => ({ done, failed, total }),
    heldBack: () => heldBack,
    firstInLine: () =>
      [...line.values()].reduce<StepRow | null>(
        (first, row) => (first && precedes(first, row) ? first : row),
        null,
      ),
  }
}

/** Of one wait for all, who came first has to have them first. */
const precedes = (one: StepRow, other: StepRow): boolean =>
  (Number(one.dueAt) - Number(other.dueAt) || one.ordinal - other.ordinal) < 0
