/** Compares capabilities beside what answers requests. */
import { serveThread } from '../../kit/thread.ts'
import { type Only, type Pair, pairsOf } from './grade.ts'
import type { Party } from './party.ts'

export type ToCompare = Record<'from' | 'to', Pick<Party, 'capabilities'>> & { only: Only }

serveThread(({ from, to, only }: ToCompare): Pair[] => pairsOf(from, to, only))
