import { compare, diff, parse } from 'semver'
import { z } from 'zod'
import { schemaCompatibility } from './schema-compatibility.ts'
import { skill } from './skill.ts'

const schema = z.record(z.string().max(80), z.unknown())
const releaseSchema = z.strictObject({
  version: z.string().min(1).max(100).describe('A semantic version'),
  capabilities: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(100).describe('Unique within the agent'),
        description: z.string().max(2000).optional().describe('What is done'),
        input: schema.describe('JSON Schema of a request'),
        output: schema.describe('JSON Schema of an answer'),
      }),
    )
    .min(1)
    .max(20)
    .describe('What it can be asked to do'),
})
type Capability = z.output<typeof releaseSchema>['capabilities'][number]

const steps = ['NONE', 'PATCH', 'MINOR', 'MAJOR'] as const
type Step = (typeof steps)[number]
type Change = { capability: string; step: Step; change: string }

/** Whether a new version's number owns up to what changed: Semantic Versioning 2.0.0 over the declared schemas. */
export const versionCheck = skill({
  name: 'version-check',
  configuration: z.strictObject({
    /** Before 1.0.0 a new minor version may break; with `strict` it may not. */
    initialDevelopment: z.enum(['minor-may-break', 'strict']),
    undeclared: z.enum(['anything', 'ignored']),
  }),
  input: z.strictObject({
    before: releaseSchema.describe('As it is in force'),
    after: releaseSchema.describe('As it is to be'),
  }),
  output: z.strictObject({
    honest: z.boolean().describe('The step is at least what the changes demand'),
    demanded: z.enum(steps).describe('By the changes'),
    taken: z.enum(steps).describe('By the version numbers'),
    atLeast: z.string().describe('The lowest version that would do'),
    changes: z
      .array(
        z.strictObject({
          capability: z.string().describe('Where'),
          step: z.enum(steps).describe('What it demands'),
          change: z.string().describe('What changed'),
        }),
      )
      .describe('The gravest first, at most 30'),
  }),
  async run({ before, after }, { initialDevelopment, undeclared }, context) {
    const [from, to] = [readVersion(before.version, 'before'), readVersion(after.version, 'after')]
    const breaks = async (direction: 'backward' | 'forward', old: Schema, renewed: Schema) => {
      const settings = { direction, undeclared }
      return (await schemaCompatibility.run({ before: old, after: renewed }, settings, context)).breaks
    }
    const changes = await changesOf(before.capabilities, after.capabilities, breaks)
    const demanded = highest(changes.map(({ step }) => step))
    const early = from.major === 0 && initialDevelopment === 'minor-may-break'
    const needed = early && demanded === 'MAJOR' ? 'MINOR' : demanded
    const taken = compare(to, from) < 0 ? 'NONE' : stepBetween(before.version, after.version)
    return {
      honest: steps.indexOf(taken) >= steps.indexOf(needed) && compare(to, from) >= 0,
      demanded: needed,
      taken,
      atLeast: needed === 'NONE' ? before.version : from.inc(lower(needed)).version,
      changes: changes.toSorted((a, b) => steps.indexOf(b.step) - steps.indexOf(a.step)).slice(0, 30),
    }
  },
})

type Schema = z.output<typeof schema>
type Breaks = (
  direction: 'backward' | 'forward',
  old: Schema,
  renewed: Schema,
) => Promise<{ path: string; problem: string }[]>

async function changesOf(old: Capability[], renewed: Capability[], breaks: Breaks): Promise<Change[]> {
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
    const refused = await breaks('backward', before.input, after.input)
    const unread = await breaks('forward', before.output, after.output)
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
