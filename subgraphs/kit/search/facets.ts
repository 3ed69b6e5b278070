/** A facet's values with how many entries have each, the most frequent first. */
export type FacetCount = { name: string; values: { value: string; count: number }[] }

export type FacetIndex = {
  /** In the order of the names; null where it has none. */
  set(slot: number, values: readonly (string | null)[]): void
  /** Counts those of the slots marked by a byte, as they are now, once somebody wants to know. */
  counting(marked: Uint8Array): () => FacetCount[]
  /** Moves entries to other slots; those with -1 are gone. */
  move(slots: Int32Array): void
}

/** Values as numbers in columns: those of 100,000 entries are counted in a millisecond or two. */
export function createFacets(names: readonly string[]): FacetIndex {
  let columns = names.map(() => new Int32Array(1024))
  /** Of each facet; 0 stands for none. */
  const values = names.map((): (string | null)[] => [null])
  const numbers = names.map(() => new Map<string, number>())

  function numberOf(facet: number, value: string | null): number {
    if (value === null) return 0
    const known = numbers[facet]!.get(value)
    if (known !== undefined) return known
    const made = values[facet]!.push(value) - 1
    numbers[facet]!.set(value, made)
    return made
  }

  return {
    set(slot, its) {
      columns = columns.map((column) => (slot < column.length ? column : grown(column, 2 * slot)))
      for (const [facet, column] of columns.entries()) column[slot] = numberOf(facet, its[facet] ?? null)
    },
    counting(marked) {
      const known = columns
      return () =>
        names.map((name, facet) => {
          const column = known[facet]!
          const counts = new Uint32Array(values[facet]!.length)
          // Adding a zero is a third of the time of asking whether to add a one.
          for (let slot = 0; slot < marked.length; slot++) counts[column[slot]!]! += marked[slot]!
          const counted = values[facet]!.flatMap((value, number) =>
            value === null || counts[number] === 0 ? [] : [{ value, count: counts[number]! }],
          )
          return {
            name,
            values: counted.toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1)),
          }
        })
    },
    move(slots) {
      columns = columns.map((column) => {
        const moved = new Int32Array(column.length)
        for (const [from, to] of slots.entries()) if (to >= 0) moved[to] = column[from]!
        return moved
      })
    },
  }
}

function grown(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length)
  larger.set(column)
  return larger
}
