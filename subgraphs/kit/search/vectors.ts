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
  /** By slot, 0 where there is none. Where more than `exactUpTo` vectors fit, an estimate from their signs, ± 0.08. */
  all(fitting: Uint8Array): { likeness: Float32Array; isExact: boolean }
  /** Exactly; 0 where the slot has no vectors. */
  whole(slot: number): number
  /** As `whole`, with what it is made of; null where the slot has no vectors. */
  one(slot: number): Likeness | null
}

type Options = { dimensions: number; exactUpTo?: number }

// 384 numbers of a byte: 20,000 vectors are compared in some 4 ms.
const usualExactUpTo = 20_000

/** Compares a query with everything, one after the other. */
export function createVectorIndex({ dimensions, exactUpTo = usualExactUpTo }: Options): VectorIndex {
  const signWords = signWordsOf(dimensions)
  /** Of each slot its first vector, and how many follow each other. */
  let starts = new Int32Array(1024).fill(-1)
  let counts = new Uint16Array(1024)
  let numbers = new Int8Array(1024 * dimensions)
  let scales = new Float32Array(1024)
  let signs = new Uint32Array(1024 * signWords)
  let size = 0

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
    const more = Math.max(size + vectors, Math.ceil(1.5 * scales.length))
    const larger = { numbers: new Int8Array(more * dimensions), scales: new Float32Array(more) }
    larger.numbers.set(numbers)
    larger.scales.set(scales)
    ;({ numbers, scales } = larger)
    const moreSigns = new Uint32Array(more * signWords)
    moreSigns.set(signs)
    signs = moreSigns
  }

  function put(at: number, vector: PackedVector): void {
    if (vector.length !== scaleBytes + dimensions)
      throw new Error(`a vector of ${vector.length - scaleBytes} numbers, not ${dimensions}`)
    scales[at] = new DataView(vector.buffer, vector.byteOffset).getFloat32(0, true)
    numbers.set(new Int8Array(vector.buffer, vector.byteOffset + scaleBytes, dimensions), at * dimensions)
    signs.set(signsOf(numbers, at * dimensions, dimensions), at * signWords)
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

  /** The cosine of the query with a vector. Four sums, none of which waits for another: a fifth of the time of one. */
  function exactly(query: Float32Array): (vector: number) => number {
    const { wholes, scale } = inWholes(query)
    return (vector) => {
      const all = numbers
      const from = vector * dimensions
      let [a, b, c, d] = [0, 0, 0, 0]
      for (let at = 0; at < dimensions; at += 4) {
        a = (a + Math.imul(wholes[at]!, all[from + at]!)) | 0
        b = (b + Math.imul(wholes[at + 1]!, all[from + at + 1]!)) | 0
        c = (c + Math.imul(wholes[at + 2]!, all[from + at + 2]!)) | 0
        d = (d + Math.imul(wholes[at + 3]!, all[from + at + 3]!)) | 0
      }
      return (a + b + c + d) * scale * scales[vector]!
    }
  }

  // The share of signs that differ is the angle's share of a half turn.
  function roughly(query: Float32Array): (vector: number) => number {
    const own = signsOf(query, 0, dimensions)
    const cosines = Float32Array.from({ length: dimensions + 1 }, (_, n) =>
      Math.cos((Math.PI * n) / dimensions),
    )
    return (vector) => {
      const from = vector * signWords
      let different = 0
      for (let at = 0; at < signWords; at += 3)
        different += bitsOf(
          own[at]! ^ signs[from + at]!,
          own[at + 1]! ^ signs[from + at + 1]!,
          own[at + 2]! ^ signs[from + at + 2]!,
        )
      return cosines[different]!
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
      return {
        all(fitting) {
          const last = Math.min(fitting.length, starts.length)
          let vectors = 0
          for (let slot = 0; slot < last; slot++) if (fitting[slot] === 1) vectors += counts[slot]!
          const isExact = vectors <= exactUpTo
          const likeness = new Float32Array(fitting.length)
          const likenessAt = isExact ? exact : roughly(query)
          for (let slot = 0; slot < last; slot++)
            if (fitting[slot] === 1 && starts[slot]! >= 0) likeness[slot] = whole(slot, likenessAt)
          return { likeness, isExact }
        },
        whole: (slot) => ((starts[slot] ?? -1) < 0 ? 0 : whole(slot, exact)),
        one(slot) {
          const start = starts[slot] ?? -1
          if (start < 0) return null
          const [description = 0, ...examples] = Array.from({ length: counts[slot]! }, (_, at) =>
            exact(start + at),
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
      const vectors = kept.reduce((sum, { count }) => sum + count, 0)
      const before = { numbers, scales, signs }
      starts = new Int32Array(Math.max(1024, kept.length)).fill(-1)
      counts = new Uint16Array(starts.length)
      numbers = new Int8Array(Math.max(1024, vectors) * dimensions)
      scales = new Float32Array(Math.max(1024, vectors))
      signs = new Uint32Array(Math.max(1024, vectors) * signWords)
      size = 0
      for (const { to, start, count } of kept) {
        reserve(to, count)
        starts[to] = size
        counts[to] = count
        const end = start + count
        numbers.set(before.numbers.subarray(start * dimensions, end * dimensions), size * dimensions)
        scales.set(before.scales.subarray(start, end), size)
        signs.set(before.signs.subarray(start * signWords, end * signWords), size * signWords)
        size += count
      }
    },
  }
}

// Times a byte and summed up over 512 numbers this stays within 31 bits.
const wholeMost = 32_000

function inWholes(query: Float32Array): { wholes: Int32Array; scale: number } {
  let largest = 0
  for (const number of query) largest = Math.max(largest, Math.abs(number))
  const most = Math.min(wholeMost, Math.floor((2 ** 31 - 1) / 127 / query.length))
  const scale = largest === 0 ? 0 : largest / most
  // Zeros to a multiple of four.
  const wholes = new Int32Array(4 * Math.ceil(query.length / 4))
  if (scale > 0) for (let at = 0; at < query.length; at++) wholes[at] = Math.round(query[at]! / scale)
  return { wholes, scale }
}

function signsOf(numbers: Int8Array | Float32Array, from: number, dimensions: number): Uint32Array {
  const signs = new Uint32Array(signWordsOf(dimensions))
  for (let at = 0; at < dimensions; at++) if (numbers[from + at]! > 0) signs[at >>> 5]! |= 1 << (at & 31)
  return signs
}

/** A multiple of three: bits of three words are counted at a time. */
const signWordsOf = (dimensions: number) => 3 * Math.ceil(dimensions / 96)

// Each four bits of a word come to hold how many of them are set; those of three words are at most 12 together.
function bitsOf(a: number, b: number, c: number): number {
  const fours = (bitsByFour(a) + bitsByFour(b) + bitsByFour(c)) | 0
  const eights = (fours & 0x0f0f0f0f) + ((fours >>> 4) & 0x0f0f0f0f)
  return Math.imul(eights, 0x01010101) >>> 24
}

function bitsByFour(word: number): number {
  const twos = word - ((word >>> 1) & 0x55555555)
  return ((twos & 0x33333333) + ((twos >>> 2) & 0x33333333)) | 0
}
