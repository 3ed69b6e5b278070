import { type Kernels, kernelsIn } from './kernels.ts'

const pageBytes = 65_536
const alignment = 16

export type Rows = {
  set(row: number, bytes: Uint8Array): void
  /** A copy. */
  get(row: number): Uint8Array
  /** A number for each of `count` rows from `first` on, of the query and the row; until somebody asks again. */
  compare(query: Uint8Array, first: number, count: number): Int32Array
  clear(): void
}

/** Rows of the same length in a memory that kernels read: the query, the rows, and behind them what was found. */
export function createRows(kernel: keyof Kernels, length: number, queryLength: number): Rows {
  const memory = new WebAssembly.Memory({ initial: 1 })
  const run = kernelsIn(memory)[kernel]
  const begin = aligned(queryLength)
  let bytes = new Uint8Array(memory.buffer)
  let size = 0
  let asked: Uint8Array | null = null

  function reserve(end: number): void {
    if (end <= bytes.length) return
    const wanted = Math.max(end, 1.5 * bytes.length)
    memory.grow(Math.ceil((wanted - bytes.length) / pageBytes))
    bytes = new Uint8Array(memory.buffer)
  }

  const place = (row: number) => begin + row * length

  return {
    set(row, values) {
      reserve(place(row + 1))
      bytes.set(values, place(row))
      size = Math.max(size, row + 1)
    },
    get: (row) => bytes.slice(place(row), place(row + 1)),
    compare(query, first, count) {
      const out = aligned(place(size))
      reserve(out + 4 * count)
      if (asked !== query) bytes.set(query)
      asked = query
      run(0, place(first), place(first + count), length, out)
      return new Int32Array(memory.buffer, out, count)
    },
    clear() {
      size = 0
    },
  }
}

const aligned = (address: number) => alignment * Math.ceil(address / alignment)
