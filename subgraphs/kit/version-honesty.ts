import { compare, diff, parse } from 'semver'
import { breaksOf, type Undeclared } from './schema-inclusion.ts'

type Schema = Record<string, unknown>

/** What an agent promises of something that it can be asked to do. */
type Capability = { name: string; description?: string | undefined; input: Schema; output: Schema }

/** What one version of an agent promises. */
export type Release = { version: string; capabilities: readonly Capability[] }

export const steps = ['NONE', 'PATCH', 'MINOR', 'MAJOR'] as const
type Step = (typeof steps)[number]

/** What changed, and the step of the version that it demands. */
type Change = { capability: string; step: Step; change: string }

export type Honesty = {
  /** The step is at least what the changes demand. */
  honest: boolean
  demanded: Step
  taken: Step
  /** The lowest version that would do. */
  atLeast: string
  /** The gravest first. */
  changes: Change[]
}

export type HonestyOptions = {
  /** Before 1.0.0 a new minor version may break; with `strict` it may not. */
  initialDevelopment: 'minor-may-break' | 'strict'
  undeclared: Undeclared
}

/** A caller reads what it knows and passes over the rest. */
export const asCallersRead: HonestyOptions = { initialDevelopment: 'minor-may-break', undeclared: 'ignored' }

/** Whether a new version's number owns up to what changed: Semantic Versioning 2.0.0. Throws where one is no version. */
export function honestyOf(
  before: Release,
  after: Release,
  { initialDevelopment, undeclared }: HonestyOptions,
): Honesty {
  const [from, to] = [readVersion(before.version, 'before'), readVersion(after.version, 'after')]
  const changes = changesOf(before.capabilities, after.capabilities, undeclared)
  const demanded = highest(changes.map(({ step }) => step))
  const early = from.major === 0 && initialDevelopment === 'minor-may-break'
  const needed = early && demanded === 'MAJOR' ? 'MINOR' : demanded
  const taken = compare(to, from) < 0 ? 'NONE' : stepBetween(before.version, after.version)
  return {
    honest: steps.indexOf(taken) >= steps.indexOf(needed) && compare(to, from) >= 0,
    demanded: needed,
    taken,
    atLeast: needed === 'NONE' ? before.version : from.inc(lower(needed)).version,
    changes: changes.toSorted((a, b) => steps.indexOf(b.step) - steps.indexOf(a.step)),
  }
}

function changesOf(
  old: readonly Capability[],
  renewed: readonly Capability[],
  undeclared: Undeclared,
): Change[] {
  const changes: Change[] = []
  for (const before of old) {
    const { name: capability } = before
    const say = (step: Step, change: string) =>
      changes.push({ capability, step, change: change.slice(0, 200) })
    const after = renewed.find(({ name }) => name === capability)
    if (!after) {
      say('MAJOR', 'it is gone')
      continue
    }
    // Callers go on sending what they sent, and must be able to read what they get.
    const refused = breaksOf(before.input, after.input, undeclared)
    const unread = breaksOf(after.output, before.output, undeclared)
    for (const { path, problem } of refused) say('MAJOR', `input ${path}: ${problem}`)
    for (const { path, problem } of unread) say('MAJOR', `output ${path}: ${problem}`)
    if (refused.length > 0 || unread.length > 0) continue
    if (JSON.stringify([before.input, before.output]) !== JSON.stringify([after.input, after.output]))
      say('MINOR', 'its schemas changed, and nothing breaks')
    else if (before.description !== after.description) say('PATCH', 'it is described in other words')
  }
  for (const { name } of renewed)
    if (!old.some((one) => one.name === name))
      changes.push({ capability: name, step: 'MINOR', change: 'it is new' })
  return changes
}

function readVersion(version: string, which: string) {
  const read = parse(version)
  if (!read) throw new Error(`${which}.version: ${version} is no semantic version`)
  return read
}

const highest = (all: readonly Step[]): Step => steps.findLast((step) => all.includes(step)) ?? 'NONE'

function stepBetween(before: string, after: string): Step {
  const difference = diff(before, after)
  if (difference === null) return 'NONE'
  if (difference.endsWith('major')) return 'MAJOR'
  return difference.endsWith('minor') ? 'MINOR' : 'PATCH'
}

const lower = (step: 'PATCH' | 'MINOR' | 'MAJOR') => step.toLowerCase() as Lowercase<typeof step>
