import { z } from 'zod'
import { wordsOf } from './listing-words.ts'
import { skill } from './skill.ts'

const ruleNames = [
  'first-heading',
  'heading-step',
  'heading-twice',
  'fence-language',
  'fence-open',
  'image-text',
  'link-text',
  'link-empty',
  'placeholder',
  'section-missing',
  'section-thin',
] as const
type Rule = (typeof ruleNames)[number]
type Finding = { line: number; rule: Rule; message: string }
type Heading = { line: number; level: number; title: string; words: number }

/** What a reader of a README would stumble over: missing sections, thin ones, and markdownlint's structural rules. */
export const readmeLint = skill({
  name: 'readme-lint',
  configuration: z.strictObject({
    /** Words of which one must be in a heading, for each section. */
    sections: z.record(z.string().max(40), z.array(z.string().min(1).max(40)).min(1).max(8)),
    minimumWords: z.int().min(0).max(200),
    off: z.array(z.enum(ruleNames)).max(11),
  }),
  input: z.strictObject({
    markdown: z.string().min(1).max(40_000).describe('The README'),
  }),
  output: z.strictObject({
    ready: z.boolean().describe('Nothing was found'),
    findings: z
      .array(
        z.strictObject({
          line: z.int().describe('From 1; 0 for what is missing altogether'),
          rule: z.string().describe('What is broken'),
          message: z.string().describe('In words'),
        }),
      )
      .describe('In the order of the lines, at most 50'),
    outline: z.array(z.string()).describe('Its headings, at most 50'),
  }),
  run({ markdown }, { sections, minimumWords, off }) {
    const { lines, open, findings: fences } = proseOf(markdown.split('\n'))
    const headings = headingsOf(lines)
    const findings = [
      ...fences,
      ...structure(headings, minimumWords),
      ...lines.flatMap((text, index) => inLine(text, index + 1)),
      ...missing(headings, sections),
      ...(open === null ? [] : [{ line: open, rule: 'fence-open' as const, message: 'is never closed' }]),
    ]
      .filter(({ rule }) => !off.includes(rule))
      .toSorted((a, b) => a.line - b.line)
    return {
      ready: findings.length === 0,
      findings: findings.slice(0, 50),
      outline: headings.slice(0, 50).map(({ level, title }) => `${'#'.repeat(level)} ${title}`),
    }
  },
})

/** The lines with code blanked out, which says nothing of the prose. */
function proseOf(all: readonly string[]): { lines: string[]; open: number | null; findings: Finding[] } {
  const findings: Finding[] = []
  let fence: { mark: string; line: number } | null = null
  const lines = all.map((text, index) => {
    const [, mark = '', language = ''] = /^ {0,3}(`{3,20}|~{3,20})(.*)$/.exec(text) ?? []
    if (fence) {
      if (mark.startsWith(fence.mark) && language.trim() === '') fence = null
      return '\u0000code'
    }
    if (mark === '') return text.replace(/`[^`\n]{1,500}`/g, 'code')
    fence = { mark, line: index + 1 }
    if (language.trim() === '')
      findings.push({
        line: index + 1,
        rule: 'fence-language',
        message: 'a code block does not say its language',
      })
    return '\u0000code'
  })
  return { lines, open: (fence as { line: number } | null)?.line ?? null, findings }
}

function headingsOf(lines: readonly string[]): Heading[] {
  const headings: Heading[] = []
  for (const [index, text] of lines.entries()) {
    const [, marks, title = ''] = /^(#{1,6}) +(\S.*)$/.exec(text) ?? []
    const last = headings.at(-1)
    if (marks !== undefined)
      headings.push({ line: index + 1, level: marks.length, title: title.replace(/[# ]+$/, ''), words: 0 })
    // A block of code fills a section as well as prose does.
    else if (last) last.words += text === '\u0000code' ? 5 : wordsOf(text).length
  }
  return headings
}

function structure(headings: readonly Heading[], minimumWords: number): Finding[] {
  const findings: Finding[] = []
  const say = (line: number, rule: Rule, message: string) => findings.push({ line, rule, message })
  const [first] = headings
  if (first?.level !== 1)
    say(first?.line ?? 1, 'first-heading', 'the first heading is not the title, level 1')
  const lineOf = new Map<string, number>()
  for (const [index, { line, level, title, words }] of headings.entries()) {
    const before = headings[index - 1]
    if (before && level > before.level + 1)
      say(line, 'heading-step', `goes from level ${before.level} to ${level}`)
    const earlier = lineOf.get(title.toLowerCase())
    if (earlier === undefined) lineOf.set(title.toLowerCase(), line)
    else say(line, 'heading-twice', `stands in line ${earlier} already`)
    const parent = (headings[index + 1]?.level ?? 0) > level
    if (!parent && words < minimumWords) say(line, 'section-thin', `${title.slice(0, 60)}: ${words} words`)
  }
  return findings
}

function inLine(text: string, line: number): Finding[] {
  const found: Finding[] = []
  const say = (rule: Rule, message: string) => found.push({ line, rule, message })
  for (const [, image = '', label = '', target = ''] of text.matchAll(
    /(!?)\[([^[\]\n]{0,300})\]\(([^()\n]{0,500})\)/g,
  )) {
    if (image !== '' && label.trim() === '')
      say('image-text', 'an image has no text for those who do not see it')
    if (image === '' && /^(here|click here|link|this)$/i.test(label.trim()))
      say('link-text', `"${label.trim()}" does not say where it leads`)
    if (target.trim() === '' || target.trim() === '#')
      say('link-empty', `"${label.slice(0, 40)}" leads nowhere`)
  }
  const placeholder = /\b(TODO|TBD|FIXME|lorem ipsum|coming soon)\b/i.exec(text)?.[0]
  if (placeholder !== undefined) say('placeholder', `"${placeholder}" was left in`)
  return found
}

const missing = (headings: readonly Heading[], sections: Record<string, string[]>): Finding[] =>
  Object.entries(sections)
    .filter(
      ([, words]) => !headings.some(({ title }) => words.some((word) => title.toLowerCase().includes(word))),
    )
    .map(([name, words]) => ({
      line: 0,
      rule: 'section-missing',
      message: `${name}: no heading has ${words.join(' or ')}`,
    }))
