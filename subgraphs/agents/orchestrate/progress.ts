import type { WriteStream } from 'node:tty'

type Seen = {
  id: string
  status: string
  reasons: string[]
  iteration: number
  progress: { done: number; failed: number; total: number }
  tokenBudget: { allocated: number; spent: number }
}

export type ProgressDisplay = {
  show(plan: Seen, phase: string | null, transition: string | null): void
  /** Leaves what is shown; the next text begins on a line of its own. */
  end(): void
}

const barWidth = 30

/** One line, drawn again and again, on a terminal; elsewhere a line for where it stands, each phase and each tenth of the way. */
export const progressDisplay = (out: WriteStream): ProgressDisplay =>
  out.isTTY ? redrawn(out) : printed(out)

function redrawn(out: WriteStream): ProgressDisplay {
  let phase: string | null = null
  return {
    show(plan, current) {
      phase = current ?? phase
      const filled = Math.round(shareOf(plan) * barWidth)
      const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
      const line = `${plan.id} ${bar} ${describe(plan)}${phase === null ? '' : `, phase ${phase}`}`
      out.write(`\r\u001B[K${line.slice(0, out.columns - 1)}`)
    },
    end: () => void out.write('\n'),
  }
}

function printed(out: NodeJS.WritableStream): ProgressDisplay {
  let tenths = -1
  return {
    show(plan, phase, transition) {
      const reached = Math.floor(shareOf(plan) * 10)
      const isPhase = transition?.startsWith('PHASE_')
      if (!isPhase && reached <= tenths) return
      tenths = Math.max(tenths, reached)
      const what = isPhase ? `phase ${phase} ${transition?.slice('PHASE_'.length).toLowerCase()}, ` : ''
      out.write(`${plan.id}: ${what}${describe(plan)}\n`)
    },
    end: () => undefined,
  }
}

const shareOf = ({ progress: { done, total } }: Seen) => (total === 0 ? 0 : done / total)

const describe = ({ progress: { done, failed, total }, tokenBudget: { spent, allocated } }: Seen) =>
  `${done}/${total} steps${failed > 0 ? ` (${failed} failed)` : ''}, ${spent}/${allocated} tokens`
