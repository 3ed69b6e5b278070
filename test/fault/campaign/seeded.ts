import { createHash } from 'node:crypto'

export type Random = {
  /** From `least` to `most`, both among them. */
  whole(least: number, most: number): number
  one<T>(of: readonly T[]): T
}

/** The same choices, in the same order, for the same words. */
export function seeded(...words: (string | number)[]): Random {
  let drawn = 0
  const whole: Random['whole'] = (least, most) => {
    const digest = createHash('sha256')
      .update(JSON.stringify([...words, drawn++]))
      .digest()
    return least + (digest.readUInt32BE() % (most - least + 1))
  }
  return {
    whole,
    one(of) {
      const chosen = of[whole(0, of.length - 1)]
      if (chosen === undefined) throw new Error('there is nothing to choose from')
      return chosen
    },
  }
}
