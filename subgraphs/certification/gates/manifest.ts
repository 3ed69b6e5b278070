import semver from 'semver'
import { z } from 'zod'
import { SchemaError } from '../../kit/json-schema.ts'
import { asCallersRead, honestyOf } from '../../kit/version-honesty.ts'
import type { ExaminedAgent } from '../agent.ts'
import type { Check } from '../store.ts'
import { check, type Finding, type Gate, judged } from './gate.ts'
import manifestSchema from './manifest.schema.json' with { type: 'json' }
import { type Validator, validatorOf } from './schemas.ts'

const minDescriptionLength = 40
const minExamples = 3

/** The manifest is whole: its form, its versions, and that every schema and example in it holds. */
export const manifestGate: Gate = {
  name: 'manifest',
  evaluate: async (agent) => examine(agent),
}

const manifest = z.object({
  metadata: z.object({ version: z.string(), description: z.string() }),
  spec: z.object({
    type: z.string(),
    subtype: z.string(),
    capabilities: z.array(
      z.object({
        name: z.string(),
        input: z.record(z.string(), z.unknown()),
        output: z.record(z.string(), z.unknown()),
        examples: z.array(z.object({ input: z.unknown() })),
      }),
    ),
  }),
})

type Manifest = z.output<typeof manifest>
type Capability = Manifest['spec']['capabilities'][number]

function examine(agent: ExaminedAgent): Finding {
  const violation = validatorOf(manifestSchema).violation(agent.manifest)
  const form = check('the manifest is valid ossa/v0.5', violation === null, violation ?? 'valid')
  const read = manifest.safeParse(agent.manifest)
  if (!form.passed || !read.success) return judged([form])
  const { metadata, spec } = read.data
  const { length } = metadata.description.trim()
  return judged([
    form,
    check('the version is semantic', semver.valid(metadata.version) !== null, metadata.version),
    check('the version is the registered one', metadata.version === agent.version, agent.version),
    check(
      `the description has ${minDescriptionLength} characters or more`,
      length >= minDescriptionLength,
      `${length} characters`,
    ),
    check(
      'the subtype begins with the type',
      typesOf(spec.type).some((type) => spec.subtype.startsWith(`${type}.`)),
      `${spec.type}, ${spec.subtype}`,
    ),
    versionCheck(agent, read.data),
    ...spec.capabilities.flatMap(capabilityChecks),
  ])
}

/** What callers of the version before rely on breaks with a new major version only. */
function versionCheck({ version, versions }: ExaminedAgent, { spec }: Manifest): Check {
  const title = 'the version owns up to what changed'
  const before = versions.edges.find(({ node }) => node.version !== version)?.node
  if (!before) return check(title, true, 'it is the first')
  const read = manifest.safeParse(before.manifest)
  if (!read.success || semver.valid(before.version) === null || semver.valid(version) === null)
    return check(title, true, `nothing to compare with: version ${before.version} is no ossa/v0.5`)
  try {
    const told = honestyOf(
      { version: before.version, capabilities: read.data.spec.capabilities },
      { version, capabilities: spec.capabilities },
      asCallersRead,
    )
    const [gravest] = told.changes
    const changed = gravest ? `${gravest.capability}: ${gravest.change}` : 'nothing breaks'
    return check(title, told.honest, `${changed}; ${before.version} to ${version}, at least ${told.atLeast}`)
  } catch (error) {
    return check(title, false, error instanceof Error ? error.message : String(error))
  }
}

// OSSA has both names for one type.
const typesOf = (type: string) =>
  type === 'monitor' || type === 'telemetry' ? ['monitor', 'telemetry'] : [type]

function capabilityChecks({ name, input, output, examples }: Capability): Check[] {
  const checks: Check[] = []
  const compiled = (schema: Record<string, unknown>, which: string): Validator | null => {
    const title = `${name}: the ${which} schema is JSON Schema 2020-12`
    try {
      const validator = validatorOf(schema)
      checks.push(check(title, true, 'compiles'))
      return validator
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      checks.push(check(title, false, error.message))
      return null
    }
  }
  const ofInput = compiled(input, 'input')
  compiled(output, 'output')
  checks.push(
    check(
      `${name}: ${minExamples} examples or more`,
      examples.length >= minExamples,
      `${examples.length} examples`,
    ),
  )
  try {
    for (const [index, example] of ofInput ? examples.entries() : []) {
      const violation = ofInput?.violation(example.input) ?? null
      checks.push(
        check(`${name}: example ${index + 1} fits the input schema`, violation === null, violation ?? 'fits'),
      )
    }
  } catch (error) {
    // What takes too long once would do so again for the next example.
    if (!(error instanceof SchemaError)) throw error
    checks.push(check(`${name}: the examples can be validated`, false, error.message))
  }
  return checks
}
