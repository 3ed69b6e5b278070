import { type Db, inTransaction, type Pool } from '@community/infra/postgres.ts'
import type { Matches } from '../../kit/search/search-index.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { ListingSort } from '../schema.generated.ts'
import { idsInOrder } from './list.ts'

/** All listings by a sort. */
export type Order = {
  /** Of those that match, as many as `count` after the first `skip`, in this order; what is not in it comes last. */
  window(matches: Pick<Matches, 'has' | 'ids'>, skip: number, count: number): string[]
}

/** Orders of the whole catalogue, kept in memory: Postgres takes a tenth of a second of CPU for each of 100,000 listings. */
export type Orders = {
  /** Whether so many are too many to be sorted for each who asks. */
  isFor(count: number): boolean
  /** Null as long as it is not known. Nobody waits for it: who asks may have a connection that reading it needs. */
  by(sort: ListingSort): Order | null
}

type Kept = { order: Order; readAt: number; generation: number }

const most = 2_000
// Of a catalogue that changes all the time, and of one that does not: use and trends change without a listing's change.
const changedMs = 1_000
const unchangedMs = 30_000
// What nobody has asked for in so long is too old to be shown at all.
const longestMs = 600_000

/** `generation` is another number after each change of a listing. What is kept is renewed behind whoever asks. */
export function openOrders(
  { pool, onFault }: { pool: Pool; onFault: (error: unknown) => void },
  generation: () => number,
): Orders {
  const kept = new Map<ListingSort, Kept>()
  const reading = new Set<ListingSort>()

  async function read(sort: ListingSort): Promise<void> {
    const [readAt, of] = [performance.now(), generation()]
    const ids = await inTransaction(pool, internalSettings, (tx: Db) => idsInOrder(tx, sort))
    kept.set(sort, { order: orderOf(ids), readAt, generation: of })
  }

  function renew(sort: ListingSort): void {
    if (reading.has(sort)) return
    reading.add(sort)
    read(sort)
      .catch(onFault)
      .finally(() => reading.delete(sort))
  }

  return {
    isFor: (count) => count > most,
    by(sort) {
      const found = kept.get(sort)
      const age = performance.now() - (found?.readAt ?? Number.NEGATIVE_INFINITY)
      if (!found || age > (found.generation === generation() ? unchangedMs : changedMs)) renew(sort)
      return found && age <= longestMs ? found.order : null
    },
  }
}

/** @public for its test */
export function orderOf(inOrder: readonly string[]): Order {
  return {
    window({ has, ids }, skip, count) {
      const window: string[] = []
      let passed = 0
      for (const id of inOrder) {
        if (window.length === count) return window
        if (has(id) && passed++ >= skip) window.push(id)
      }
      // The last page.
      const known = new Set(inOrder)
      const unknown = ids().filter((id) => !known.has(id))
      const before = Math.max(0, skip - passed)
      return [...window, ...unknown.toSorted().slice(before, before + count - window.length)]
    },
  }
}
