import { createRows } from './rows.ts'
import { createScratch } from './scratch.ts'

/** A vector of unit length as bytes: its scale (float32, little-endian), then each number in 127ths of that scale. */
export type PackedVector = Uint8Array

const scaleBytes = 4

export function packed(vector: Float32Array): PackedVector {
  const bytes = new Uint8Array(scaleBytes + vector.length)
  let largest = 0
  for (const number of vector) largest = Math.max(largest, Math.abs(number))
  const scale = largest / 127
  new DataView(bytes.buffer).setFloat32(0, scale, true)
  const numbers = new Int8Array(bytes.buffer, scaleBytes)
  for (let at = 0; at < vector.length; at++) numbers[at] = scale === 0 ? 0 : Math.round(vector[at]! / scale)
  return bytes
}

/** How like a document is to a query: cosines with its description and its best example. */
export type Likeness = { whole: number; description: number; example: number; exampleIndex: number }

export type VectorIndex = {
  /** That of the description, then those of the examples; replaces what the slot had. */
  set(slot: number, vectors: readonly PackedVector[]): void
  /** Of unit length. */
  comparedWith(query: Float32Array): Compared
  /** Moves documents to other slots; those with -1 are gone. */
  move(slots: Int32Array): void
}

export type Compared = {
  /**
   * By slot, 0 where there is none; valid until somebody compares another query. Where more than `exactUpTo` vectors fit, an
   * estimate from their signs, ± 0.08.
   */
  all(fitting: Uint8Array): { likeness: Float32Array; isExact: boolean }
  /** That estimate; 0 where the slot has no vectors. */
  about(slot: number): number
  /** Exactly; 0 where the slot has no vectors. */
  whole(slot: number): number
  /** As `whole`, with what it is made of; null where the slot has no vectors. */
  one(slot: number): Likeness | null
}

type Options = { dimensions: number; exactUpTo?: number }

// 384 numbers of a byte: 20,000 vectors are compared in a millisecond or two.
const usualExactUpTo = 20_000

/** Compares a query with everything, one after the other. */
export function createVectorIndex({ dimensions, exactUpTo = usualExactUpTo }: Options): VectorIndex {
  const numbersLength = 8 * Math.ceil(dimensions / 8)
  const signsLength = 16 * Math.ceil(dimensions / 128)
  const numbers = createRows('dots', numbersLength, 2 * numbersLength)
  const signs = createRows('differences', signsLength, signsLength)
  let scales = new Float32Array(1024)
  /** Of each slot its first vector, and how many follow each other. */
  let starts = new Int32Array(1024).fill(-1)
  let counts = new Uint16Array(1024)
  let size = 0
  const zeros = createScratch()
  // The share of signs that differ is the angle's share of a half turn.
  const cosines = Float32Array.from({ length: dimensions + 1 }, (_, n) =>
    Math.cos((Math.PI * n) / dimensions),
  )

  function reserve(slot: number, vectors: number): void {
    if (slot >= starts.length) {
      const more = Math.max(slot + 1, 2 * starts.length)
      const wider = new Int32Array(more).fill(-1)
      wider.set(starts)
      starts = wider
      const longer = new Uint16Array(more)
      longer.set(counts)
      counts = longer
    }
    if (size + vectors <= scales.length) return
    const larger = new Float32Array(Math.max(size + vectors, Math.ceil(1.5 * scales.length)))
    larger.set(scales)
    scales = larger
  }

  function put(at: number, vector: PackedVector): void {
    if (vector.length !== scaleBytes + dimensions)
      throw new Error(`a vector of ${vector.length - scaleBytes} numbers, not ${dimensions}`)
    scales[at] = new DataView(vector.buffer, vector.byteOffset).getFloat32(0, true)
    const row = new Int8Array(numbersLength)
    row.set(new Int8Array(vector.buffer, vector.byteOffset + scaleBytes, dimensions))
    numbers.set(at, new Uint8Array(row.buffer))
    signs.set(at, signsOf(row, signsLength))
  }

  /** Half of the description, half of the best example; of the description alone where there are no examples. */
  function whole(slot: number, likenessAt: (vector: number) => number): number {
    const start = starts[slot]!
    const end = start + counts[slot]!
    const description = likenessAt(start)
    if (end === start + 1) return description
    let example = -1
    for (let at = start + 1; at < end; at++) {
      const found = likenessAt(at)
      if (found > example) example = found
    }
    return (description + example) / 2
  }

  /** The cosine of the query with a vector of a slot. */
  function exactly(query: Float32Array): (slot: number) => (vector: number) => number {
    const { wholes, scale } = inWholes(query, numbersLength)
    return (slot) => {
      const start = starts[slot]!
      const sums = numbers.compare(wholes, start, counts[slot]!)
      return (vector) => sums[vector - start]! * scale * scales[vector]!
    }
  }

  /** As `exactly`, about so, of as many vectors as are asked for. */
  function roughly(query: Float32Array): (first: number, many: number) => (vector: number) => number {
    const its = signsOf(query, signsLength)
    return (first, many) => {
      const different = signs.compare(its, first, many)
      return (vector) => cosines[different[vector - first]!]!
    }
  }

  return {
    set(slot, vectors) {
      reserve(slot, vectors.length)
      starts[slot] = vectors.length === 0 ? -1 : size
      counts[slot] = vectors.length
      for (const vector of vectors) put(size++, vector)
    },
    comparedWith(query) {
      const exact = exactly(query)
      const rough = roughly(query)
      const has = (slot: number) => (starts[slot] ?? -1) >= 0
      return {
        all(fitting) {
          const last = Math.min(fitting.length, starts.length)
          let vectors = 0
          for (let slot = 0; slot < last; slot++) if (fitting[slot] === 1) vectors += counts[slot]!
          const isExact = vectors <= exactUpTo
          const estimate = isExact ? null : rough(0, size)
          const likeness = zeros(fitting.length)
          for (let slot = 0; slot < last; slot++)
            if (fitting[slot] === 1 && has(slot)) likeness[slot] = whole(slot, estimate ?? exact(slot))
          return { likeness, isExact }
        },
        about: (slot) => (has(slot) ? whole(slot, rough(starts[slot]!, counts[slot]!)) : 0),
        whole: (slot) => (has(slot) ? whole(slot, exact(slot)) : 0),
        one(slot) {
          if (!has(slot)) return null
          const start = starts[slot]!
          const cosineOf = exact(slot)
          const [description = 0, ...examples] = Array.from({ length: counts[slot]! }, (_, at) =>
            cosineOf(start + at),
          )
          const example = Math.max(...examples)
          const half = examples.length === 0 ? description : example
          return {
            whole: (description + half) / 2,
            description,
            example,
            exampleIndex: examples.indexOf(example),
          }
        },
      }
    },
    move(slots) {
      const kept = Array.from(slots, (to, from) => ({
        to,
        start: starts[from]!,
        count: counts[from]!,
      })).filter(({ to, start }) => to >= 0 && start >= 0)
      const rows = kept.flatMap(({ start, count }) => Array.from({ length: count }, (_, n) => start + n))
      const before = rows.map((row) => ({
        numbers: numbers.get(row),
        signs: signs.get(row),
        scale: scales[row]!,
      }))
      numbers.clear()
      signs.clear()
      starts = new Int32Array(Math.max(1024, kept.length)).fill(-1)
      counts = new Uint16Array(starts.length)
      scales = new Float32Array(Math.max(1024, rows.length))
      size = 0
      for (const { to, count } of kept) {
        reserve(to, count)
        starts[to] = size
        counts[to] = count
        size += count
      }
      for (const [at, row] of before.entries()) {
        numbers.set(at, row.numbers)
        signs.set(at, row.signs)
        scales[at] = row.scale
      }
    },
  }
}

// In two bytes each; summed up over all numbers, each times a byte, they stay within 32 bits.
const wholeMost = 32_000

function inWholes(query: Float32Array, length: number): { wholes: Uint8Array; scale: number } {
  let largest = 0
  for (const number of query) largest = Math.max(largest, Math.abs(number))
  const most = Math.min(wholeMost, Math.floor((2 ** 31 - 1) / 127 / query.length))
  const scale = largest === 0 ? 0 : largest / most
  const wholes = new Int16Array(length)
  if (scale > 0) for (let at = 0; at < query.length; at++) wholes[at] = Math.round(query[at]! / scale)
  return { wholes: new Uint8Array(wholes.buffer), scale }
}

/** A bit for each number, 1 where it is above 0; what is missing to `length` bytes is 0. */
function signsOf(numbers: Int8Array | Float32Array, length: number): Uint8Array {
  const signs = new Uint8Array(length)
  for (let at = 0; at < numbers.length; at++) if (numbers[at]! > 0) signs[at >>> 3]! |= 1 << (at & 7)
  return signs
}
