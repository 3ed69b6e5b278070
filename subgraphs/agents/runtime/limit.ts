/** Runs a task when a place is free; null, and nothing is run, when too many wait already. */
export type Limit = <T>(task: () => Promise<T>) => Promise<T> | null

/** At most `running` tasks at a time, `waiting` in line behind them. */
export function openLimit(bounds: { running: number; waiting: number }): Limit {
  const line: (() => void)[] = []
  let running = 0
  return (task) => {
    if (running >= bounds.running && line.length >= bounds.waiting) return null
    return (async () => {
      // A place is handed over rather than freed, so that nobody gets in between.
      if (running >= bounds.running) await new Promise<void>((resolve) => line.push(resolve))
      else running++
      try {
        return await task()
      } finally {
        const next = line.shift()
        if (next) next()
        else running--
      }
    })()
  }
}
