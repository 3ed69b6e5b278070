import { setTimeout as sleep } from 'node:timers/promises'

/** Looks until what it sees fits, and says what it saw last where it does not come to that. */
export async function eventually<T>(
  look: () => Promise<T>,
  fits: (value: T) => boolean,
  { withinMs = 30_000, everyMs = 100 } = {},
): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const value = await look()
    if (fits(value)) return value
    if (Date.now() > deadline)
      throw new Error(`within ${withinMs} ms it did not come to fit: ${JSON.stringify(value)}`)
    await sleep(everyMs)
  }
}
