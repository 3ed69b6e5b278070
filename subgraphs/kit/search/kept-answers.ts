export type KeptAnswers<Answer> = {
  /** The one that is kept, or else what `answer` makes, now and for those who ask the same. */
  get(key: string, answer: () => Answer): Answer
}

/** Answers by what was asked, those asked last, as long as what they were made of is the same. */
export function keepAnswers<Answer>(generation: () => number, most = 500): KeptAnswers<Answer> {
  const kept = new Map<string, Answer>()
  let of = generation()
  return {
    get(key, answer) {
      if (of !== generation()) kept.clear()
      of = generation()
      const found = kept.has(key) ? (kept.get(key) as Answer) : answer()
      // Last in the map is what was asked last.
      kept.delete(key)
      kept.set(key, found)
      if (kept.size > most) kept.delete(kept.keys().next().value ?? key)
      return found
    },
  }
}
