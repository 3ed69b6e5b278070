import type { StepRow } from './store.ts'

export type Tally = {
  replace(before: StepRow | undefined, after: StepRow): void
  progress(): { done: number; failed: number; total: number }
  /** What undoing the steps under way and done may take. */
  heldBack(): number
}

/** Of a run's steps, kept as they change: counting a thousand anew for each event took longer than all else. */
export function openTally(): Tally {
  let done = 0
  let failed = 0
  let total = 0
  let heldBack = 0
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
    },
    progress: () => ({ done, failed, total }),
    heldBack: () => heldBack,
  }
}
