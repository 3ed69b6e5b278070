import { ClientError } from '../kit/errors.ts'

/** Runs the tasks of one key one after the other. */
export type InTurn = <T>(key: string, task: () => Promise<T>) => Promise<T>

/**
 * Those who wait for the same row wait here, and not each with a connection of the pool that all others need too; of more
 * than `most` the last are refused.
 */
export function openTurns(most: number): InTurn {
  const lines = new Map<string, { length: number; last: Promise<unknown> }>()
  return async (key, task) => {
    const line = lines.get(key) ?? { length: 0, last: Promise.resolve() }
    if (line.length >= most)
      throw new ClientError('UNAVAILABLE', `too many change the ratings of ${key} at the moment, try again`)
    lines.set(key, line)
    line.length++
    const result = line.last.then(task)
    line.last = result.catch(() => undefined)
    try {
      return await result
    } finally {
      if (--line.length === 0) lines.delete(key)
    }
  }
}
