import { minVersion, prerelease, Range, satisfies, valid, validRange } from 'semver'
import { z } from 'zod'
import { skeleton } from './confusables.ts'
import { skill } from './skill.ts'

const nameSchema = z.string().min(1).max(100)
const severitySchema = z.enum(['HIGH', 'MEDIUM', 'LOW'])

/** Declared dependencies: how firmly they are pinned, where they come from, and whose names they nearly have. */
export const dependencyAudit = skill({
  name: 'dependency-audit',
  configuration: z.strictObject({
    /** The widest range that is accepted. */
    widest: z.enum(['exact', 'patch', 'minor']),
    /** Edits (Damerau and Levenshtein's) up to which a name counts as nearly another. */
    squatDistance: z.int().min(0).max(2),
    /** Names that are often imitated; the request may add its own. */
    popular: z.array(nameSchema).max(200),
  }),
  input: z.strictObject({
    dependencies: z
      .record(nameSchema, z.string().max(200))
      .refine((all) => Object.keys(all).length <= 200, 'at most 200')
      .describe('Range by name, as package.json has them'),
    locked: z.record(nameSchema, z.string().max(60)).optional().describe('Installed version by name'),
    known: z.array(nameSchema).max(300).optional().describe('Names that are meant, beside the popular ones'),
  }),
  output: z.strictObject({
    passes: z.boolean().describe('Nothing of HIGH or MEDIUM severity'),
    findings: z
      .array(
        z.strictObject({
          severity: severitySchema.describe('How bad'),
          dependency: z.string().describe('Its name'),
          rule: z.string().describe('What it breaks'),
          detail: z.string().describe('In words'),
        }),
      )
      .describe('Worst first'),
    pinned: z.int().describe('How many name one version'),
  }),
  run({ dependencies, locked = {}, known = [] }, { widest, squatDistance, popular }) {
    const genuine = new Map([...popular, ...known].map((name) => [name, skeleton(name)]))
    const findings = Object.entries(dependencies).flatMap(([name, range]) => [
      ...rangeFindings(name, range, widest),
      ...lockFindings(name, range, Object.hasOwn(locked, name) ? locked[name] : undefined),
      ...nameFindings(name, genuine, squatDistance),
    ])
    return {
      passes: findings.every(({ severity }) => severity === 'LOW'),
      findings: findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity)),
      pinned: Object.values(dependencies).filter((range) => valid(range) !== null).length,
    }
  },
})

type Finding = { severity: z.output<typeof severitySchema>; dependency: string; rule: string; detail: string }
type Width = 'exact' | 'patch' | 'minor' | 'major'
const order = severitySchema.options
const widths: Width[] = ['exact', 'patch', 'minor', 'major']

function rangeFindings(dependency: string, range: string, widest: Width): Finding[] {
  const say = (severity: Finding['severity'], rule: string, detail: string): Finding[] => [
    { severity, dependency, rule, detail },
  ]
  if (/^(?:workspace|file|link|catalog|portal):/.test(range)) return []
  if (/^https?:/.test(range)) return say('HIGH', 'from-url', 'An archive at a URL may change any day.')
  if (/^(?:git|github:|gitlab:|bitbucket:)|^[\w.-]{1,80}\/[\w.-]{1,80}(?:#|$)/.test(range))
    return /#[0-9a-f]{40}$/.test(range)
      ? say('LOW', 'from-git', 'It comes from a repository, at a fixed commit.')
      : say('HIGH', 'from-git', 'It comes from a repository and no commit is fixed.')
  const wanted = range.replace(/^npm:(?:@[^@]{1,100}|[^@]{1,100})@/, '')
  if (validRange(wanted) === null)
    return say(
      'MEDIUM',
      'tag',
      `${range.slice(0, 40) || 'Nothing'} is no range: whoever publishes may move it.`,
    )
  const width = widthOf(wanted)
  const found: Finding[] = []
  if (width === 'major') found.push(...say('HIGH', 'unbounded', `${range} takes releases that break.`))
  else if (widths.indexOf(width) > widths.indexOf(widest))
    found.push(...say('MEDIUM', 'too-wide', `${range} takes any ${width} release.`))
  const least = minVersion(wanted)
  if (least && prerelease(least) && !least.version.endsWith('-0'))
    found.push(...say('LOW', 'prerelease', `${least.version} is no release yet.`))
  return found
}

/** Which release after the range's lowest it still takes. Below 1.0.0 a minor release breaks, as a major one does later. */
function widthOf(range: string): Width {
  const least = minVersion(range)
  if (!least) return 'exact'
  const { major, minor, patch } = least
  const huge = 1_000_000
  const takes = (version: string) => satisfies(version, range)
  const open = new Range(range).set.some((comparators) =>
    comparators.every(({ operator, value }) => value === '' || operator.startsWith('>')),
  )
  if (open || takes(`${major + 1}.0.0`) || (major === 0 && takes(`0.${minor + 1}.0`))) return 'major'
  if (takes(`${major}.${minor + 1}.0`) || takes(`${major}.${huge}.0`)) return 'minor'
  return takes(`${major}.${minor}.${patch + 1}`) || takes(`${major}.${minor}.${huge}`) ? 'patch' : 'exact'
}

function lockFindings(dependency: string, range: string, version: string | undefined): Finding[] {
  if (version === undefined || validRange(range) === null) return []
  if (valid(version) === null)
    return [{ severity: 'MEDIUM', dependency, rule: 'lock', detail: `${version} is no version.` }]
  if (satisfies(version, range)) return []
  return [
    {
      severity: 'HIGH',
      dependency,
      rule: 'lock',
      detail: `${version} is installed, ${range} was asked for.`,
    },
  ]
}

function nameFindings(dependency: string, genuine: ReadonlyMap<string, string>, distance: number): Finding[] {
  if (genuine.has(dependency)) return []
  const say = (detail: string): Finding[] => [{ severity: 'HIGH', dependency, rule: 'typo-squat', detail }]
  const bare = skeleton(dependency)
  for (const [name, look] of genuine) {
    if (look === bare) return say(`It looks like ${name}.`)
    // In short names one letter makes another word.
    const most = Math.min(distance, Math.floor(name.length / 5))
    if (most > 0 && edits(dependency, name, most) <= most) return say(`It is nearly ${name}.`)
  }
  return []
}

/** Optimal string alignment: insert, delete, replace, swap neighbours. Only the band that `most` allows is reckoned. */
function edits(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let [before, row]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const next: number[] = Array(b.length + 1).fill(most + 1)
    next[0] = i
    for (let j = Math.max(1, i - most); j <= Math.min(b.length, i + most); j++) {
      const replaced = row![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min(replaced, row![j]! + 1, next[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        next[j] = Math.min(next[j]!, before![j - 2]! + 1)
    }
    ;[before, row] = [row, next]
  }
  return row![b.length]!
}
