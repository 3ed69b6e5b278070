import { z } from 'zod'
import { contentWords, stem, wordsOf } from './listing-words.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const className = z.string().min(1).max(80)
type Learned = { name: string; prior: number; counts: Map<string, number>; total: number }

/** Which of some classes a text belongs to: multinomial naive Bayes with Laplace's smoothing, learned from examples. */
export const textClassification = skill({
  name: 'text-classification',
  configuration: z.strictObject({
    classes: z
      .array(
        z.strictObject({ name: className, examples: z.array(z.string().min(1).max(500)).min(1).max(40) }),
      )
      .min(2)
      .max(30),
    smoothing: z.number().positive().max(10),
    /** Less certain answers are left to a person. */
    minimumConfidence: z.number().min(0).max(1),
  }),
  input: z.strictObject({
    text: z.string().min(1).max(5000).describe('What is to be sorted'),
    corrections: z
      .array(
        z.strictObject({
          text: z.string().min(1).max(500).describe('A text that a person has sorted'),
          class: className.describe('Where it belongs'),
        }),
      )
      .max(200)
      .optional()
      .describe('More to learn from, for this request only'),
  }),
  output: z.strictObject({
    class: z.string().nullable().describe('The most likely; null where that is too uncertain'),
    confidence: z.number().describe('Probability of the most likely'),
    ranking: z
      .array(
        z.strictObject({
          class: z.string().describe('One of the classes'),
          probability: z.number().describe('Over all classes they sum to 1'),
        }),
      )
      .describe('The three most likely'),
    because: z.array(z.string()).describe('Words that spoke most for it, against the second'),
  }),
  run({ text, corrections = [] }, { classes, smoothing, minimumConfidence }) {
    const learned = learn(classes, corrections)
    const vocabulary = new Set(learned.flatMap(({ counts }) => [...counts.keys()]))
    // A word never seen in an example says nothing about any class.
    const words = contentWords(text).filter((word) => vocabulary.has(word))
    const likelihood = ({ counts, total }: Learned, word: string) =>
      Math.log(((counts.get(word) ?? 0) + smoothing) / (total + smoothing * vocabulary.size))
    const logs = learned.map((one) => Math.log(one.prior) + sum(words.map((word) => likelihood(one, word))))
    const most = Math.max(...logs)
    const all = sum(logs.map((log) => Math.exp(log - most)))
    const ranking = learned
      .map((one, index) => ({ one, probability: Math.exp(logs[index]! - most) / all }))
      .toSorted((a, b) => b.probability - a.probability || (a.one.name < b.one.name ? -1 : 1))
    const [best, second] = [ranking[0]!, ranking[1]!]
    const asWritten = new Map(wordsOf(text).map((word) => [stem(word), word]))
    const ratio = (word: string) => likelihood(best.one, word) - likelihood(second.one, word)
    return {
      class: words.length > 0 && best.probability >= minimumConfidence ? best.one.name : null,
      confidence: rounded(best.probability),
      ranking: ranking
        .slice(0, 3)
        .map(({ one, probability }) => ({ class: one.name, probability: rounded(probability) })),
      because: [...new Set(words)]
        .filter((word) => ratio(word) > 0)
        .toSorted((a, b) => ratio(b) - ratio(a))
        .slice(0, 5)
        .map((word) => asWritten.get(word) ?? word),
    }
  },
})

function learn(
  classes: readonly { name: string; examples: string[] }[],
  corrections: readonly { text: string; class: string }[],
): Learned[] {
  const stray = corrections.find((one) => !classes.some(({ name }) => name === one.class))
  if (stray) throw new Error(`corrections: ${stray.class} is none of the classes`)
  const sorted = classes.map(({ name, examples }) => ({
    name,
    texts: [...examples, ...corrections.filter((one) => one.class === name).map((one) => one.text)],
  }))
  const all = sum(sorted.map(({ texts }) => texts.length))
  return sorted.map(({ name, texts }) => {
    const words = texts.flatMap(contentWords)
    const counts = new Map<string, number>()
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
    return { name, prior: texts.length / all, counts, total: words.length }
  })
}
