import { createHash } from 'node:crypto'

export type Random = {
  /** From 0 up to, and not including, `below`. */
  whole(below: number): number
  one<T>(of: readonly T[]): T
  text(alphabet: string, length: number): string
}

/** The same choices, in the same order, for the same words. */
export function seeded(...words: (string | number)[]): Random {
  let drawn = 0
  const whole = (below: number) => {
    const digest = createHash('sha256')
      .update(JSON.stringify([...words, drawn++]))
      .digest()
    return digest.readUInt32BE() % below
  }
  return {
    whole,
    one: (of) => of[whole(of.length)]!,
    text: (alphabet, length) => Array.from({ length }, () => alphabet[whole(alphabet.length)]).join(''),
  }
}
