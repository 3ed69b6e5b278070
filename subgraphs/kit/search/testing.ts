import { normalised } from './embedding.ts'

export const testDimensions = 64

/** Texts that share words are near each other; `meanings` give words that share none the same meaning. */
export function testVector(text: string, meanings: Record<string, string> = {}): Float32Array {
  const vector = new Float32Array(testDimensions)
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    let hash = 7
    for (const letter of meanings[word] ?? word) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0
    for (let at = 0; at < testDimensions; at++) {
      hash = (Math.imul(hash, 1_664_525) + 1_013_904_223) >>> 0
      vector[at]! += hash / 2 ** 31 - 1
    }
  }
  return normalised(vector)
}
