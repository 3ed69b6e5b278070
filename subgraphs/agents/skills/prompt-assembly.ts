import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const depths = ['reference', 'summary', 'full'] as const
type Depth = (typeof depths)[number]

/** A prompt of sections that each may be a reference, a summary or the full text, as deep as a budget of tokens allows. */
export const promptAssembly = skill({
  name: 'prompt-assembly',
  configuration: z.strictObject({
    /** one-by-one: a section as deep as can be before the next gets more. level-by-level: all get a summary before any the full text. */
    deepen: z.enum(['one-by-one', 'level-by-level']),
  }),
  input: z.strictObject({
    budgetTokens: z.int().min(1).max(100_000).describe('Of the whole prompt'),
    sections: z
      .array(
        z
          .strictObject({
            name: z.string().min(1).max(80).describe('Stands above it as a heading'),
            priority: z.int().min(1).max(9).describe('1 for what matters most'),
            required: z.boolean().optional().describe('Stays, at least as a reference'),
            stable: z.boolean().optional().describe('The same in every prompt'),
            reference: z.string().max(300).optional().describe('As {CONTEXT:workflow:id}'),
            summary: z.string().max(4000).optional().describe('In a few sentences'),
            full: z.string().max(20_000).optional().describe('All of it'),
          })
          .refine((section) => depths.some((depth) => section[depth] !== undefined), 'has no text at all'),
      )
      .min(1)
      .max(30)
      .describe('In the order in which they are wanted'),
  }),
  output: z.strictObject({
    prompt: z.string().describe('Sections under their headings'),
    sections: z
      .array(
        z.strictObject({
          name: z.string().describe('As it was given'),
          depth: z.enum([...depths, 'left-out']).describe('How much of it is there'),
          tokens: z.int().describe('With its heading'),
        }),
      )
      .describe('In the order of the prompt, those left out last'),
    tokens: z.int().describe('Of the prompt'),
    cacheableTokens: z.int().describe('Of the stable sections that it begins with'),
    usedPercent: z.number().describe('Of the budget'),
  }),
  run({ budgetTokens, sections }, { deepen }) {
    const plans = sections.map((section) => {
      const levels = depths
        .filter((depth) => section[depth] !== undefined)
        .map((depth) => ({ depth, text: `## ${section.name}\n${section[depth]}` }))
        // What a section says after another may cost a token more for the line between.
        .map((level) => ({ ...level, tokens: countTokens(`${level.text}\n\n`) }))
      return { section, levels, at: -1 }
    })
    type Plan = (typeof plans)[number]
    let left = budgetTokens
    /** Next to the level it has; a deeper one that takes fewer tokens is welcome too. */
    const deepened = (plan: Plan, to: number) => {
      const level = plan.levels[to]
      const more = (level?.tokens ?? 0) - (plan.levels[plan.at]?.tokens ?? 0)
      if (!level || more > left) return false
      left -= more
      plan.at = to
      return true
    }
    const asDeepAsFits = (plan: Plan, deepest: Depth) => {
      const limit = depths.indexOf(deepest)
      for (let to = plan.levels.length - 1; to > plan.at; to--)
        if (depths.indexOf(plan.levels[to]!.depth) <= limit && deepened(plan, to)) return
    }

    const byPriority = plans.toSorted((a, b) => a.section.priority - b.section.priority)
    for (const plan of byPriority)
      if (plan.section.required && !deepened(plan, 0))
        throw new Error(`budgetTokens: the required section ${plan.section.name} does not fit`)
    const rounds: readonly Depth[] = deepen === 'one-by-one' ? ['full'] : depths
    for (const deepest of rounds) for (const plan of byPriority) asDeepAsFits(plan, deepest)

    const present = plans.filter(({ at }) => at >= 0)
    // So that an endpoint can cache what all prompts begin with.
    const inOrder = [
      ...present.filter(({ section }) => section.stable),
      ...present.filter(({ section }) => !section.stable),
    ]
    const textOf = (some: readonly Plan[]) => some.map(({ levels, at }) => levels[at]!.text).join('\n\n')
    const prompt = textOf(inOrder)
    const changing = inOrder.findIndex(({ section }) => !section.stable)
    const tokens = countTokens(prompt)
    return {
      prompt,
      sections: [...inOrder, ...plans.filter(({ at }) => at < 0)].map(({ section, levels, at }) => ({
        name: section.name,
        depth: levels[at]?.depth ?? ('left-out' as const),
        tokens: levels[at]?.tokens ?? 0,
      })),
      tokens,
      cacheableTokens: countTokens(textOf(changing < 0 ? inOrder : inOrder.slice(0, changing))),
      usedPercent: rounded((100 * tokens) / budgetTokens, 1),
    }
  },
})
