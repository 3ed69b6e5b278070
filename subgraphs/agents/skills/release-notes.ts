import { inc, valid } from 'semver'
import { z } from 'zod'
import { skill } from './skill.ts'

const sectionNames = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'] as const
type Section = (typeof sectionNames)[number]
const stepSchema = z.enum(['MAJOR', 'MINOR', 'PATCH'])
type Commit = { type: string; scope: string; breaking: boolean; subject: string }

/** A Keep a Changelog section out of Conventional Commits 1.0.0, and the version that they ask for. */
export const releaseNotes = skill({
  name: 'release-notes',
  configuration: z.strictObject({
    /** Where commits of a type go; types that are not named here are left out, unless they break. */
    sections: z.record(z.string().max(30), z.enum(sectionNames)),
    showScope: z.boolean(),
  }),
  input: z.strictObject({
    previous: z.string().min(1).max(60).describe('The version before'),
    date: z.iso.date().describe('Of the release'),
    commits: z
      .array(z.string().min(1).max(300))
      .min(1)
      .max(300)
      .describe('First lines, as feat(search)!: drop a filter'),
  }),
  output: z.strictObject({
    version: z.string().describe('What the release should be called'),
    step: stepSchema.describe('From the version before'),
    markdown: z.string().describe('To be put on top of the changelog'),
    leftOut: z.int().describe('Commits that concern no user'),
    unreadable: z.array(z.string()).describe('Lines that are no Conventional Commits, at most 20'),
  }),
  run({ previous, date, commits }, { sections, showScope }) {
    if (valid(previous) === null) throw new Error(`previous: ${previous} is no semantic version`)
    const read = commits.map((line) => ({ line, commit: commitOf(line.trim()) }))
    const known = read.flatMap(({ commit }) => (commit ? [commit] : []))
    const entries = new Map<Section, Set<string>>()
    let leftOut = 0
    // What breaks leads its section.
    for (const commit of known.toSorted((a, b) => Number(b.breaking) - Number(a.breaking))) {
      const own = Object.hasOwn(sections, commit.type) ? sections[commit.type] : undefined
      const section = own ?? (commit.breaking ? 'Changed' : undefined)
      if (!section) leftOut++
      else entries.set(section, (entries.get(section) ?? new Set()).add(entryOf(commit, showScope)))
    }
    const step = stepOf(known)
    const version = inc(previous, step.toLowerCase() as Lowercase<typeof step>)!
    return {
      version,
      step,
      markdown: [
        `## [${version}] - ${date}`,
        ...sectionNames.flatMap((name) => {
          const own = entries.get(name)
          return own ? ['', `### ${name}`, '', ...own] : []
        }),
        '',
      ].join('\n'),
      leftOut,
      unreadable: read
        .filter(({ commit }) => !commit)
        .map(({ line }) => line)
        .slice(0, 20),
    }
  },
})

function stepOf(commits: readonly Commit[]): z.output<typeof stepSchema> {
  if (commits.some(({ breaking }) => breaking)) return 'MAJOR'
  return commits.some(({ type }) => type === 'feat') ? 'MINOR' : 'PATCH'
}

function commitOf(line: string): Commit | null {
  const {
    type,
    scope = '',
    mark,
    subject,
  } = /^(?<type>[A-Za-z]{1,30})(?:\((?<scope>[^()\n]{1,60})\))?(?<mark>!?): +(?<subject>\S[^\n]*)/.exec(line)
    ?.groups ?? {}
  if (type === undefined || subject === undefined) return null
  return { type: type.toLowerCase(), scope, breaking: mark === '!', subject }
}

function entryOf({ scope, breaking, subject }: Commit, showScope: boolean): string {
  const text = `${subject[0]!.toUpperCase()}${subject.slice(1)}`.replace(/([*_`[\]<>])/g, '\\$1')
  const sentence = /[.!?]$/.test(text) ? text : `${text}.`
  return `- ${breaking ? '**Breaking:** ' : ''}${showScope && scope !== '' ? `${scope}: ` : ''}${sentence}`
}
