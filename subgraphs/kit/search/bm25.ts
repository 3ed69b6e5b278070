import { createScratch } from './scratch.ts'
import { createSpelling } from './spelling.ts'
import { termsOf } from './terms.ts'

/** A part of a document; words in it count `weight` times. At most eight to an index, weights in sixteenths. */
export type Field = { name: string; weight: number }

/** A word of the query with what it was found as; more than one only where it is read as something else. */
export type FoundWord = { word: string; readings: Reading[]; isGuess: boolean }

type Reading = { posting: Posting; likeness: number }

/** Documents that a caller sees, a byte for each slot, with how many these are and how long on average. */
export type View = { visible: Uint8Array; documents: number; averageLength: number }

export type WordMatches = {
  /** By slot; 0 where no word was found. Valid until the next search. */
  scores: Float32Array
  /** The same of one slot, as long as it is the same document's. */
  scoreOf: (slot: number) => number
  words: FoundWord[]
  /** How many words of the query say something, found or not. */
  asked: number
}

export type WordIndex = {
  /** Texts in the order of the fields; slots come in rising order. */
  add(slot: number, texts: readonly string[]): void
  viewOf(visible: Uint8Array): View
  /**
   * Scores those of `fitting`, a byte for each slot. What a word weighs, how long texts are and which words are known is told by
   * the documents of the view alone, so that no other shows through. `isTyping`: the last word may be the beginning of one.
   */
  search(query: string, view: View, fitting: Uint8Array, isTyping: boolean): WordMatches
  /** Moves documents to other slots in the same order; those with -1 are gone. */
  move(slots: Int32Array): void
}

/** Where a term is: slots in rising order, and for each its weighted count in sixteenths and a bit for each field. */
type Posting = { term: string; slots: Uint32Array; counts: Uint32Array; size: number }

const k1 = 1.2
const b = 0.75
const unit = 16
const fieldBits = 8
const fieldMask = (1 << fieldBits) - 1

/** Okapi BM25 over weighted fields (BM25F with one length for all), with typos forgiven in words that nobody has. */
export function createWordIndex(fields: readonly Field[]): WordIndex {
  const postings = new Map<string, Posting>()
  const spelling = createSpelling()
  let lengths = new Float32Array(1024)
  const zeros = createScratch()

  const postingOf = (term: string): Posting => {
    const known = postings.get(term)
    if (known) return known
    const made = { term, slots: new Uint32Array(1), counts: new Uint32Array(1), size: 0 }
    postings.set(term, made)
    spelling.add(term)
    return made
  }

  return {
    add(slot, texts) {
      const found = new Map<string, { count: number; places: number }>()
      let length = 0
      for (const [place, { weight }] of fields.entries())
        for (const { stem } of termsOf(texts[place] ?? '')) {
          const term = found.get(stem) ?? { count: 0, places: 0 }
          term.count += weight * unit
          term.places |= 1 << place
          length += weight
          found.set(stem, term)
        }
      for (const [stem, { count, places }] of found)
        append(postingOf(stem), slot, (count << fieldBits) | places)
      if (slot >= lengths.length) {
        const longer = new Float32Array(2 * slot)
        longer.set(lengths)
        lengths = longer
      }
      lengths[slot] = length
    },

    viewOf: (visible) => ({ visible, ...seen(visible, lengths) }),

    search(query, { visible, documents, averageLength }, fitting, isTyping) {
      const isKnown = (term: string) => {
        const posting = postings.get(term)
        return posting !== undefined && isSeen(posting, visible)
      }
      const asked = wordsOf(query, isKnown, isTyping)
      const words = asked.filter(({ readings }) => readings.length > 0)
      const weights = words
        .flatMap(({ readings }) => readings)
        .map(({ posting, likeness }) => {
          const frequency = countSeen(posting, visible)
          return { posting, idf: likeness * Math.log(1 + (documents - frequency + 0.5) / (frequency + 0.5)) }
        })
      const scores = zeros(visible.length)
      const worth = (idf: number, { slots, counts }: Posting, at: number) => {
        const count = (counts[at]! >>> fieldBits) / unit
        const norm = k1 * (1 - b + (b * lengths[slots[at]!]!) / averageLength)
        return (idf * count * (k1 + 1)) / (count + norm)
      }
      for (const { posting, idf } of weights)
        for (let at = 0; at < posting.size; at++) {
          const slot = posting.slots[at]!
          if (fitting[slot] === 1) scores[slot]! += worth(idf, posting, at)
        }
      // Rounded as the array does.
      const scoreOf = (slot: number) =>
        weights.reduce((sum, { posting, idf }) => {
          const at = placeIn(posting, slot)
          return at === null ? sum : Math.fround(sum + worth(idf, posting, at))
        }, 0)
      return { scores, scoreOf, words, asked: asked.length }
    },

    move(slots) {
      const moved = new Float32Array(lengths.length)
      for (const [from, to] of slots.entries()) if (to >= 0) moved[to] = lengths[from]!
      lengths = moved
      for (const posting of postings.values()) {
        let size = 0
        for (let at = 0; at < posting.size; at++) {
          const to = slots[posting.slots[at]!]!
          if (to < 0) continue
          posting.slots[size] = to
          posting.counts[size++] = posting.counts[at]!
        }
        posting.size = size
      }
    },
  }

  function wordsOf(query: string, isKnown: (term: string) => boolean, isTyping: boolean): FoundWord[] {
    const terms = termsOf(query)
    const typed = isTyping && /[\p{L}\p{N}]$/u.test(query) ? terms.at(-1)?.word : undefined
    const byStem = new Map(terms.map(({ word, stem }) => [stem, word]))
    return Array.from(byStem, ([stem, word]): FoundWord => {
      if (isKnown(stem))
        return { word, readings: [{ posting: postings.get(stem)!, likeness: 1 }], isGuess: false }
      const completions = word === typed ? spelling.completing(word, isKnown) : []
      const readings = (completions.length > 0 ? completions : spelling.near(stem, isKnown)).map(
        ({ term, likeness }) => ({ posting: postings.get(term)!, likeness }),
      )
      return { word, readings, isGuess: true }
    })
  }
}

/** The fields in which a document has the word, a bit for each in their order; 0 where it has it nowhere. */
export function placesOf({ readings }: FoundWord, slot: number): number {
  let places = 0
  for (const { posting } of readings) {
    const at = placeIn(posting, slot)
    if (at !== null) places |= posting.counts[at]! & fieldMask
  }
  return places
}

function placeIn({ slots, size }: Posting, slot: number): number | null {
  let low = 0
  let high = size
  while (low < high) {
    const middle = (low + high) >>> 1
    if (slots[middle]! < slot) low = middle + 1
    else high = middle
  }
  return low < size && slots[low] === slot ? low : null
}

function append(posting: Posting, slot: number, count: number): void {
  if (posting.size === posting.slots.length) {
    posting.slots = grown(posting.slots, posting.size + 1)
    posting.counts = grown(posting.counts, posting.size + 1)
  }
  posting.slots[posting.size] = slot
  posting.counts[posting.size++] = count
}

/** The same with room for at least `size`, twice what it had. */
function grown(array: Uint32Array, size: number): Uint32Array {
  const larger = new Uint32Array(Math.max(size, 2 * array.length))
  larger.set(array)
  return larger
}

function seen(visible: Uint8Array, lengths: Float32Array): { documents: number; averageLength: number } {
  let documents = 0
  let length = 0
  for (let slot = 0; slot < visible.length; slot++)
    if (visible[slot] === 1) {
      documents++
      length += lengths[slot]!
    }
  return { documents, averageLength: Math.max(1, length / Math.max(1, documents)) }
}

function isSeen({ slots, size }: Posting, visible: Uint8Array): boolean {
  for (let at = 0; at < size; at++) if (visible[slots[at]!] === 1) return true
  return false
}

function countSeen({ slots, size }: Posting, visible: Uint8Array): number {
  let count = 0
  for (let at = 0; at < size; at++) count += visible[slots[at]!]!
  return count
}
