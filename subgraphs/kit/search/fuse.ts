const meaningShare = 0.7
// Of what has no word of the query, only what is this like it is found.
const leastLikeness = 0.2
const leastOfBest = 0.5

type Precedes = (slot: number, other: number) => boolean

export type Fused = {
  /** Slots of the best, the best first. */
  best: number[]
  /** What both scores of a document come to. */
  mix: (words: number, likeness: number) => number
  /** A byte for each slot: 1 where it fits at all. */
  fitting: Uint8Array
  count: number
}

/**
 * Convex sum of both scores, each divided by its best one; `likeness` is null where there is only the words' score.
 * A document fits that has a word of the query, or is at least half as like it as the one that is most. `precedes` decides among
 * equals.
 */
export function fuse(
  words: Float32Array,
  likeness: Float32Array | null,
  first: number,
  precedes: Precedes,
): Fused {
  const bestWords = largestOf(words)
  const bestLikeness = likeness === null ? 0 : largestOf(likeness)
  const least = Math.max(leastLikeness, leastOfBest * bestLikeness)
  const share = likeness === null ? 0 : meaningShare
  const mix = (ofWords: number, ofLikeness: number) =>
    (bestWords > 0 ? ((1 - share) * ofWords) / bestWords : 0) +
    (bestLikeness > 0 ? (share * Math.max(0, ofLikeness)) / bestLikeness : 0)

  const heap = createHeap(first, precedes)
  const fitting = new Uint8Array(words.length)
  let count = 0
  for (let slot = 0; slot < words.length; slot++) {
    if (words[slot]! <= 0 && (likeness === null || likeness[slot]! < least)) continue
    count++
    fitting[slot] = 1
    heap.offer(slot, mix(words[slot]!, likeness === null ? 0 : likeness[slot]!))
  }
  return { best: heap.sorted(), mix, fitting, count }
}

function largestOf(scores: Float32Array): number {
  let largest = 0
  for (let slot = 0; slot < scores.length; slot++) if (scores[slot]! > largest) largest = scores[slot]!
  return largest
}

/** Keeps the `most` with the highest scores; the worst of them is at the root. */
function createHeap(most: number, precedes: Precedes) {
  const slots: number[] = []
  const scores: number[] = []
  const isWorse = (a: number, b: number) =>
    scores[a]! < scores[b]! || (scores[a] === scores[b] && precedes(slots[b]!, slots[a]!))
  const swap = (a: number, b: number) => {
    ;[slots[a], slots[b]] = [slots[b]!, slots[a]!]
    ;[scores[a], scores[b]] = [scores[b]!, scores[a]!]
  }
  const sink = () => {
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      let worst = at
      if (left < slots.length && isWorse(left, worst)) worst = left
      if (right < slots.length && isWorse(right, worst)) worst = right
      if (worst === at) return
      swap(at, worst)
      at = worst
    }
  }
  return {
    offer(slot: number, score: number) {
      if (slots.length < most) {
        slots.push(slot)
        scores.push(score)
        for (let at = slots.length - 1; at > 0 && isWorse(at, (at - 1) >>> 1); at = (at - 1) >>> 1)
          swap(at, (at - 1) >>> 1)
      } else if (most > 0 && (score > scores[0]! || (score === scores[0] && precedes(slot, slots[0]!)))) {
        slots[0] = slot
        scores[0] = score
        sink()
      }
    },
    sorted: () =>
      slots
        .map((slot, at) => ({ slot, score: scores[at]! }))
        .toSorted((a, b) => b.score - a.score || (precedes(a.slot, b.slot) ? -1 : 1))
        .map(({ slot }) => slot),
  }
}
