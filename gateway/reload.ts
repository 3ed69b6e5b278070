import type { Log } from '@community/infra/log.ts'
import type { Generation } from './generation.ts'
import type { ReloadOutcome } from './metrics.ts'
import { warm } from './warm.ts'

/** The supergraph that is served, and its successors. */
export type Generations = {
  current(): Generation
  /** 1 is the first. */
  count(): number
  /** Serves the SDL from then on; the last good one stays where it is bad. Reloads wait for each other. */
  reload: (sdl: string) => Promise<ReloadOutcome>
  /** Closes all, also those that still have operations. */
  close(): Promise<void>
}

export function createGenerations(
  first: Generation,
  open: (sdl: string) => Promise<Generation>,
  log: Log,
  reloaded: (outcome: ReloadOutcome) => void,
): Generations {
  const alive = new Set([first])
  let current = first
  let count = 1
  const closed = new AbortController()
  let last: Promise<unknown> = Promise.resolve()

  async function successor(sdl: string): Promise<{ next: Generation; warmed: number }> {
    const next = await open(sdl)
    try {
      return { next, warmed: await warm(next.operations, current.operations, log, closed.signal) }
    } catch (error) {
      await next.close()
      throw error
    }
  }

  async function swap(sdl: string): Promise<ReloadOutcome> {
    if (closed.signal.aborted || sdl === current.sdl) return 'unchanged'
    const startedAt = performance.now()
    try {
      const { next, warmed } = await successor(sdl)
      if (closed.signal.aborted) {
        await next.close()
        return 'unchanged'
      }
      const previous = current
      current = next
      count++
      alive.add(next)
      previous.retire(() => alive.delete(previous))
      log.info(
        { generation: count, warmed, ms: Math.round(performance.now() - startedAt) },
        'serving another supergraph',
      )
      return 'swapped'
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      log.error({ reason }, 'the supergraph is refused, the last good one stays')
      return 'refused'
    }
  }

  return {
    current: () => current,
    count: () => count,
    reload(sdl) {
      const swapped = last.then(() => swap(sdl))
      last = swapped
      return swapped.then((outcome) => {
        reloaded(outcome)
        return outcome
      })
    },
    async close() {
      closed.abort()
      await last
      await Promise.all([...alive].map((generation) => generation.close()))
    },
  }
}
