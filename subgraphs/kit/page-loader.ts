import DataLoader from 'dataloader'
import type { Page } from './page.ts'

type Key<P> = { id: string; page: P }

/** Of a connection; `P` has beside the page what else it is asked for with. */
export type PageLoader<Value, P = Page> = DataLoader<Key<P>, Value, string>

/** One call of `valuesOf` for all ids that are asked for the same page: one in practice. Values come in the order of the ids. */
export const pageLoader = <Value, P>(
  valuesOf: (ids: string[], page: P) => Promise<readonly Value[]>,
): PageLoader<Value, P> =>
  new DataLoader((keys) => byPage(keys, valuesOf), {
    cacheKeyFn: ({ id, page }) => JSON.stringify([id, page]),
  })

async function byPage<Value, P>(
  keys: readonly Key<P>[],
  valuesOf: (ids: string[], page: P) => Promise<readonly Value[]>,
): Promise<Value[]> {
  const found = new Map<Key<P>, Value>()
  for (const group of Map.groupBy(keys, ({ page }) => JSON.stringify(page)).values()) {
    const ids = group.map(({ id }) => id)
    const values = await valuesOf(ids, group[0]!.page)
    for (const [index, key] of group.entries()) found.set(key, values[index]!)
  }
  return keys.map((key) => found.get(key)!)
}
