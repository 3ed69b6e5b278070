import { createHash } from 'node:crypto'
import { coerce, valid } from 'semver'
import { refusal } from '../../kit/json-schema.ts'
import type { Capability } from '../manifest.ts'
import type { AgentType } from '../schema.generated.ts'
import type { Fields } from './shape.ts'

/** What a foreign document is taken to say. */
export type Draft = {
  /** As `ossa/v0.4.6`. */
  format: string
  name: string
  version: string
  description: string
  labels: Record<string, string>
  type: AgentType
  subtype: string
  /** Where it speaks A2A. */
  endpoint: string | null
  capabilities: Capability[]
  /** All of it that has a place in our reading, by the source's own names. */
  profile: Fields
  /** What was taken for granted, written otherwise or left out. */
  remarks: string[]
}

/** A capability as a format declares it. */
export type Declared = {
  name: string | undefined
  description?: string | undefined
  /** JSON Schema, or the properties of an object's. */
  input?: Fields | undefined
  output?: Fields | undefined
  /** Requests in words. */
  examples: readonly string[]
}

const types: readonly string[] = [
  'ORCHESTRATOR',
  'WORKER',
  'CRITIC',
  'VERIFIER',
  'JUDGE',
  'INTEGRATOR',
  'TRAINER',
  'GOVERNOR',
  'TELEMETRY',
]

/** One of the nine, by its name or `monitor`. */
export function typeAlias(name: string | undefined): AgentType | null {
  const upper = name?.toUpperCase() ?? ''
  if (upper === 'MONITOR') return 'TELEMETRY'
  return types.includes(upper) ? (upper as AgentType) : null
}

const longestName = 63

/** As names of agents are written: lower-case letters, digits and hyphens; empty where nothing of it is left. */
export function nameOf(given: unknown, remarks: string[]): string {
  const source = typeof given === 'string' ? given : ''
  const name = slug(source)
  if (name !== source && name !== '') remarks.push(`name: ${name}, for ${source}`)
  return name
}

/** Lower-case words with hyphens between them, none where nothing is left. */
export function wordsOf(source: string): string[] {
  const found = slug(source)
  return found === '' ? [] : [found]
}

// What is too long for a name ends with a digest, so that two stay two.
function slug(source: string): string {
  const plain = source
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  if (plain.length <= longestName) return plain
  const digest = createHash('sha256').update(source).digest('hex').slice(0, 8)
  return `${plain.slice(0, longestName - 9).replace(/-$/, '')}-${digest}`
}

/** A semantic version. */
export function versionOf(given: unknown, remarks: string[]): string {
  const source = typeof given === 'string' || typeof given === 'number' ? String(given) : ''
  const version = valid(source) ?? coerce(source)?.version ?? '0.0.0'
  if (version !== source) remarks.push(`version: ${version}, for ${source === '' ? 'none' : source}`)
  return version
}

const mostCapabilities = 1_000

/** Each name once. A schema that is none is left out, and named. */
export function declaredCapabilities(declared: readonly Declared[], remarks: string[]): Capability[] {
  const found = new Map<string, Capability>()
  for (const { name, description, input, output, examples } of declared.slice(0, mostCapabilities)) {
    if (name === undefined || name === '' || found.has(name)) {
      remarks.push(`capability ${name ?? 'without a name'}: left out${name ? ', its name comes twice' : ''}`)
      continue
    }
    if (description === undefined) remarks.push(`capability ${name}: described by its name`)
    found.set(name, {
      name,
      description: description?.trim() ?? name.replaceAll(/[-_.]+/g, ' '),
      input: schemaOf(input, `capability ${name}: input`, remarks),
      output: schemaOf(output, `capability ${name}: output`, remarks),
      examples: examples.map((example) => ({ description: example, input: example })),
    })
  }
  return [...found.values()]
}

const schemaWords = ['type', '$ref', '$schema', 'properties', 'anyOf', 'oneOf', 'allOf', 'enum', 'const']

function schemaOf(given: Fields | undefined, what: string, remarks: string[]): Fields {
  if (given === undefined) return {}
  const isSchema =
    Object.keys(given).length === 0 ||
    schemaWords.some((word) => typeof given[word] === 'string' || (word !== 'type' && word in given))
  // Earlier drafts differ little; what they have otherwise does not compile.
  const { $schema: _dialect, ...said } = given
  const schema = isSchema ? said : { type: 'object', properties: given }
  const refused = refusal(schema)
  if (refused === null) return schema
  remarks.push(`${what}: anything, since its schema is none (${refused})`)
  return {}
}
