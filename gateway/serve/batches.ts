import { setTimeout as passed } from 'node:timers/promises'

const batchSize = 100
const allMs = 2_000

/** Ends clients' connections over two seconds at most: all of them come back, to other instances. */
export async function inBatches<T>(all: readonly T[], end: (one: T) => void): Promise<void> {
  const pauseMs = allMs / Math.ceil(all.length / batchSize)
  for (let from = 0; from < all.length; from += batchSize) {
    if (from > 0) await passed(Math.random() * pauseMs)
    for (const one of all.slice(from, from + batchSize)) end(one)
  }
}
