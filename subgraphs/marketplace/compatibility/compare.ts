import type { Log } from '@community/infra/log.ts'
import { openThread, type Thread, ThreadGaveUp } from '../../kit/thread.ts'
import { type Compatibility, compatibilityOf, type Only, type Pair } from './grade.ts'
import type { ToCompare } from './pairs-thread.ts'
import type { Party } from './party.ts'

const longestMs = 3_000

export type Comparing = Thread<ToCompare, Pair[]>

export const openComparing = (log: Log): Comparing =>
  openThread({ file: new URL('./pairs-thread.ts', import.meta.url), longestMs, log })

/** As far as it can be told in time. */
export async function compare(
  comparing: Comparing,
  from: Party,
  to: Party,
  only: Only,
): Promise<Compatibility> {
  const toCompare = { from: capable(from), to: capable(to), only }
  const compared = await comparing.ask(toCompare).catch((error: unknown) => {
    if (!(error instanceof ThreadGaveUp)) throw error
    return { refused: `their schemas could not be compared: ${error.message}` }
  })
  return compatibilityOf(from, to, only, compared)
}

const capable = ({ capabilities }: Party) => ({ capabilities })
