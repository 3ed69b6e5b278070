import { z } from 'zod'
import { type Injection, injectionScore, injectionsIn } from './injection-rules.ts'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const familySchema = z.enum(['override', 'role', 'delimiter', 'hidden', 'encoded', 'exfiltration'])
const verdictSchema = z.enum(['PASS', 'FLAG', 'BLOCK'])

/** Scores what a text tries to make its reader do: overrides, personas, broken delimiters, hidden and encoded text, leaks. */
export const promptInjectionScan = skill({
  name: 'prompt-injection-scan',
  configuration: z.strictObject({
    families: z.array(familySchema).min(1).max(6),
    /** What is only named in quotation marks or code weighs this share of what is said. */
    quotedShare: z.number().min(0).max(1),
    flagAt: z.number().min(0).max(1),
    blockAt: z.number().min(0).max(1),
    /** What the clean text loses: nothing, what no reader sees, or all that was found. */
    remove: z.enum(['nothing', 'hidden', 'all']),
  }),
  input: z.strictObject({
    text: z.string().max(20_000).describe('What an agent is about to read'),
  }),
  output: z.strictObject({
    verdict: verdictSchema.describe('By the score'),
    score: z.number().describe('0 to 1: how likely it is an attack, by the weights of the rules'),
    findings: z
      .array(
        z.strictObject({
          rule: z.string().describe('Family and rule'),
          start: z.int().describe('Offset in the text, UTF-16'),
          end: z.int().describe('Behind its last character'),
          weight: z.number().describe('What it adds'),
          excerpt: z.string().describe('At most 80 characters; invisible ones as U+XXXX'),
        }),
      )
      .describe('In the order of the text, at most 50'),
    clean: z.string().describe('The text without what was to be removed'),
  }),
  run({ text }, { families, quotedShare, flagAt, blockAt, remove }) {
    const found = injectionsIn(text)
      .filter(({ family }) => families.includes(family))
      .map((one) => (one.quoted ? { ...one, weight: one.weight * quotedShare } : one))
      .filter(({ weight }) => weight > 0)
    const score = injectionScore(found)
    const verdict: z.output<typeof verdictSchema> =
      score >= blockAt ? 'BLOCK' : score >= flagAt ? 'FLAG' : 'PASS'
    return {
      verdict,
      score: rounded(score),
      findings: found.slice(0, 50).map(({ rule, start, end, weight }) => ({
        rule,
        start,
        end,
        weight: rounded(weight),
        excerpt: visible(text.slice(start, end)).slice(0, 80),
      })),
      clean: remove === 'nothing' ? text : without(text, remove === 'all' ? found : found.filter(isHidden)),
    }
  },
})

const isHidden = ({ rule }: Injection) => rule.startsWith('hidden.') && rule !== 'hidden.mixed-scripts'

const visible = (text: string) =>
  text.replaceAll(
    /[\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}]/gu,
    (one) => `U+${one.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`,
  )

function without(text: string, spans: readonly Injection[]): string {
  const parts: string[] = []
  let from = 0
  for (const one of spans) {
    if (one.end <= from) continue
    parts.push(
      text.slice(from, Math.max(from, one.start)),
      isHidden(one) || one.start < from ? '' : `[removed: ${one.rule}]`,
    )
    from = one.end
  }
  return parts.join('') + text.slice(from)
}
