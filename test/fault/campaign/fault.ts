import type { Random } from './seeded.ts'
import type { Stage } from './stage.ts'

/** What an objective looks like just now. */
export type Look = { held: boolean; seen: string }

export type Injected = {
  /** What was done to whom, for the record. */
  what: string
  /** Ids of what the fault hits: agents, pools, processes, runs. Whoever tells of one of these has found it. */
  hits: readonly string[]
  /** Whether service is as promised, `ms` after the fault began; seen from outside. */
  objective(ms: number): Promise<Look>
  /** When the fault has ended by itself, and service has to be whole again; what ends with its injection: 0. */
  wholeAgainMs: number
  /** Ends what is left of it, and takes away what was made for it. */
  end(): Promise<void>
}

export type Fault = {
  kind: string
  /** Of the kinds that nothing is prepared for, it is right to call a person at once. */
  unknown?: true
  /** In which the objective has to hold again. */
  withinMs: number
  /** Agents that it may touch: none but the ones it hits, or, of a part that all need, any. */
  reach: 'its own' | 'all'
  inject(stage: Stage, random: Random, name: string): Promise<Injected>
}
