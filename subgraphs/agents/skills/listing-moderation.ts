import { z } from 'zod'
import { overlap, shingles, wordsOf } from './listing-words.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const ruleNames = [
  'contact-details',
  'links',
  'superlatives',
  'shouting',
  'repetition',
  'too-short',
  'off-topic-offer',
  'duplicate',
] as const
type RuleName = (typeof ruleNames)[number]
const decisionSchema = z.enum(['ACCEPT', 'REVIEW', 'REJECT'])
type Words = { whole: string; words: string[]; limits: { minimumWords: number; similarity: number } }
type Nearest = { id: string; similarity: number }

/** Whether a text may stand in the catalogue, by written rules; every point against it has its reason. */
export const listingModeration = skill({
  name: 'listing-moderation',
  configuration: z.strictObject({
    /** Points against the text for each rule; one that is left out is not applied. */
    rules: z.partialRecord(z.enum(ruleNames), z.number().positive().max(100)),
    reviewAt: z.number().positive().max(100),
    rejectAt: z.number().positive().max(100),
    minimumWords: z.int().min(0).max(100),
    /** Share of three-word runs in common from which a text is a copy. */
    similarity: z.number().positive().max(1),
  }),
  input: z.strictObject({
    title: z.string().max(200).optional().describe('Of a listing'),
    text: z.string().min(1).max(5000).describe('What somebody wants to publish'),
    others: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(160).describe('Of a text that is there already'),
          text: z.string().max(5000).describe('How it reads'),
        }),
      )
      .max(50)
      .optional()
      .describe('Texts that it must not repeat'),
  }),
  output: z.strictObject({
    decision: decisionSchema.describe('REVIEW: a person should look'),
    points: z.number().describe('Against it'),
    reasons: z
      .array(
        z.strictObject({
          rule: z.string().describe('What it breaks'),
          points: z.number().describe('How much that counts'),
          seen: z.string().describe('Where'),
        }),
      )
      .describe('The gravest first'),
    nearest: z
      .strictObject({
        id: z.string().describe('The most similar text'),
        similarity: z.number().describe('Share of three-word runs in common'),
      })
      .nullable()
      .describe('Null where there is nothing to compare with'),
  }),
  run({ title = '', text, others = [] }, { rules, reviewAt, rejectAt, ...limits }) {
    const whole = `${title}\n${text}`
    const words = wordsOf(text)
    const nearest = nearestOf(words, others)
    const reasons = ruleNames
      .flatMap((rule) => {
        const points = rules[rule]
        const seen = points === undefined ? null : checks[rule]({ whole, words, limits }, nearest)
        return points === undefined || seen === null ? [] : [{ rule, points, seen: seen.slice(0, 160) }]
      })
      .toSorted((a, b) => b.points - a.points)
    const points = sum(reasons.map((reason) => reason.points))
    const decision = (): z.output<typeof decisionSchema> => {
      if (points >= rejectAt) return 'REJECT'
      return points >= reviewAt ? 'REVIEW' : 'ACCEPT'
    }
    return { decision: decision(), points, reasons, nearest }
  },
})

/** What breaks the rule, or null. Repetitions in the patterns are bounded: nothing backtracks far. */
const checks: Record<RuleName, (text: Words, nearest: Nearest | null) => string | null> = {
  'contact-details': ({ whole }) =>
    first(whole, /[\w.+-]{1,64}@[\w-]{1,63}(\.[\w-]{2,63}){1,4}/) ??
    first(whole, /(?<![\d.])(?!\d{4}-\d\d-\d\d)\+?\d{1,4}[ ()/-]{1,2}\d{2,5}[ ()/-]{1,2}[\d ()/-]{4,14}\d/) ??
    first(whole, /\b(telegram|whatsapp|discord|wechat|skype)\b.{0,20}@?\w{3,40}/i),

  links: ({ whole }) => first(whole, /\bhttps?:\/\/\S{3,200}/i) ?? first(whole, /\bwww\.\S{3,200}/i),

  superlatives: ({ whole }) =>
    first(
      whole,
      /\b(world['’]s (best|first|fastest)|number one|#1|best ever|unbeatable|revolutionary|guaranteed|100 ?% (accurate|safe|secure)|never fails|state[- ]of[- ]the[- ]art|perfect)\b/i,
    ),

  shouting({ whole }) {
    const shouted = whole.match(/\b[A-Z]{4,}\b/g) ?? []
    const marks = first(whole, /[!?]{3,}/)
    return marks ?? (shouted.length >= 3 ? shouted.slice(0, 3).join(' ') : null)
  },

  repetition({ words }) {
    const counted = [...Map.groupBy(words, (word) => word)].map(([word, all]) => ({
      word,
      times: all.length,
    }))
    const { word, times } = counted
      .filter((one) => one.word.length > 3)
      .reduce((most, one) => (one.times > most.times ? one : most), { word: '', times: 0 })
    return times >= 5 && times > words.length / 6 ? `${word}, ${times} times` : null
  },

  'too-short': ({ words, limits }) =>
    words.length < limits.minimumWords
      ? `${words.length} words, at least ${limits.minimumWords} wanted`
      : null,

  'off-topic-offer': ({ whole }) =>
    first(
      whole,
      /\b(buy now|click here|limited offer|free money|discount code|casino|crypto giveaway|earn \$?\d+)/i,
    ),

  duplicate: ({ limits }, nearest) =>
    nearest && nearest.similarity >= limits.similarity ? `${nearest.id} reads alike` : null,
}

const first = (text: string, pattern: RegExp): string | null => pattern.exec(text)?.[0] ?? null

function nearestOf(words: string[], others: readonly { id: string; text: string }[]): Nearest | null {
  const own = shingles(words, 3)
  return others
    .map(({ id, text }) => ({ id, similarity: rounded(overlap(own, shingles(wordsOf(text), 3)), 3) }))
    .reduce<Nearest | null>((best, one) => (best && best.similarity >= one.similarity ? best : one), null)
}
