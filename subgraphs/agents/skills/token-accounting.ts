import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

/** Where the tokens of a prompt go: by section, and what blank space and lines said before take. */
export const tokenAccounting = skill({
  name: 'token-accounting',
  configuration: z.strictObject({
    windowTokens: z.int().min(1).max(10_000_000),
    /** From which share of the window on it is called near. */
    nearPercent: z.number().min(0).max(100),
  }),
  input: z.strictObject({
    sections: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(80).describe('As system, history or tools'),
          text: z.string().max(20_000).describe('As it would be sent'),
        }),
      )
      .min(1)
      .max(40)
      .describe('Of one prompt, in their order'),
  }),
  output: z.strictObject({
    tokens: z.int().describe('Of all sections (o200k_base)'),
    windowPercent: z.number().describe('Of the window'),
    state: z.enum(['WITHIN', 'NEAR', 'OVER']).describe('Whether it still fits'),
    sections: z
      .array(
        z.strictObject({
          name: z.string().describe('As it was given'),
          tokens: z.int().describe('Of the section'),
          percent: z.number().describe('Of all sections'),
          charactersPerToken: z.number().describe('About 4 in English prose; low for numbers and ids'),
          blankTokens: z.int().describe('What single spaces instead of runs would save'),
          repeatedTokens: z.int().describe('Of lines that stand in this prompt before'),
        }),
      )
      .describe('Largest first'),
    savableTokens: z.int().describe('Blank and repeated ones of all sections'),
  }),
  run({ sections }, { windowTokens, nearPercent }) {
    const said = new Set<string>()
    const measured = sections.map(({ name, text }) => {
      const tokens = countTokens(text)
      const lines = text
        .split('\n')
        .map((line) => line.trim().split(/\s+/).join(' '))
        .filter((line) => line !== '')
      const fresh = lines.filter((line) => {
        if (said.has(line)) return false
        said.add(line)
        return true
      })
      const tight = countTokens(lines.join('\n'))
      return {
        name,
        tokens,
        characters: Array.from(text).length,
        blankTokens: Math.max(0, tokens - tight),
        repeatedTokens: Math.max(0, tight - countTokens(fresh.join('\n'))),
      }
    })
    const total = sum(measured.map(({ tokens }) => tokens))
    const windowPercent = (100 * total) / windowTokens
    return {
      tokens: total,
      windowPercent: rounded(windowPercent, 2),
      state: stateOf(windowPercent, nearPercent),
      sections: measured
        .toSorted((a, b) => b.tokens - a.tokens)
        .map(({ characters, ...section }) => ({
          ...section,
          percent: rounded((100 * section.tokens) / (total || 1), 1),
          charactersPerToken: rounded(characters / (section.tokens || 1), 2),
        })),
      savableTokens: sum(measured.map(({ blankTokens, repeatedTokens }) => blankTokens + repeatedTokens)),
    }
  },
})

function stateOf(windowPercent: number, nearPercent: number): 'WITHIN' | 'NEAR' | 'OVER' {
  if (windowPercent > 100) return 'OVER'
  return windowPercent >= nearPercent ? 'NEAR' : 'WITHIN'
}
