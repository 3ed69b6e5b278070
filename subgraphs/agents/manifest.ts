import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { valid } from 'semver'
import { type Compiled, type JsonSchema, SchemaError, within } from '../kit/json-schema.ts'
import {
  anything,
  type Fields,
  list,
  map,
  notUnderstoodIn,
  number,
  object,
  record,
  text,
} from './formats/shape.ts'
import { refusalOf, type Source, type Violation } from './formats/source.ts'
import manifestSchema from './manifest.schema.json' with { type: 'json' }
import type { AgentType, Visibility } from './schema.generated.ts'

export type Manifest = {
  /** As it came. */
  source: string
  /** That, read as JSON. */
  document: Record<string, unknown>
  reading: Reading
  name: string
  version: string
  description: string
  namespace: string | null
  labels: Record<string, string>
  type: AgentType
  /** Begins with the type; the alias `monitor` is written out as `telemetry`. */
  subtype: string
  visibility: Visibility
  pool: string | null
  /** Of an agent that runs elsewhere. */
  endpoint: string | null
  tokensPerCall: number | null
  capabilities: Capability[]
}

/** How a document was read. */
export type Reading = {
  /** As `ossa/v0.4.6`, `a2a/1.0`, `mcp/server.json`, `mcp/tools`, `openapi/3.1.0`. */
  format: string
  /** All of a foreign document that has a place in our reading, by the source's own names; null for our own format. */
  profile: Fields | null
  /** What was taken for granted, written otherwise or left out. */
  remarks: string[]
  /** JSON pointers of what was not understood. */
  notUnderstood: string[]
}

export type Capability = {
  name: string
  description: string
  input: JsonSchema
  output: JsonSchema
  examples: { description: string; input: unknown }[]
}

// A declared pattern may backtrack without end on an example; a manifest that needs longer is refused.
const examplesWithinMs = 1_000

/** Throws ClientError that names the JSON pointer, the line and what was expected there. */
export type ReadManifest = (source: Source) => Manifest

export const ownFormat = 'ossa/v0.5'

/** Reads our own format. */
export function manifestReader(): ReadManifest {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: false })
  formats.default(ajv)
  ajv.addFormat('semver', (version) => /^\d/.test(version) && valid(version) !== null)
  const fits = ajv.compile<ManifestDocument>(manifestSchema)
  return (source) => {
    const { value } = source
    if (!fits(value)) throw refusalOf(source, (fits.errors ?? []).map(violation))
    const manifest = manifestOf(source.text, value)
    const own = ownRules(value, manifest)
    if (own.length > 0) throw refusalOf(source, own)
    const examples = capabilityViolations(manifest.capabilities)
    if (examples.length > 0) throw refusalOf(source, examples)
    return manifest
  }
}

/** What `manifest.schema.json` guarantees. */
type ManifestDocument = Record<string, unknown> & {
  metadata: {
    name: string
    version: string
    description: string
    namespace?: string
    labels?: Record<string, string>
  }
  spec: {
    type: string
    subtype: string
    visibility?: Visibility
    endpoint?: string
    budgets?: { tokensPerCall?: number }
    capabilities: Capability[]
  }
}

function manifestOf(source: string, document: ManifestDocument): Manifest {
  const { metadata, spec } = document
  const type = spec.type === 'monitor' ? 'telemetry' : spec.type
  return {
    source,
    document,
    reading: readingOf(document),
    name: metadata.name,
    version: metadata.version,
    description: metadata.description.trim(),
    namespace: metadata.namespace ?? null,
    labels: metadata.labels ?? {},
    type: type.toUpperCase() as AgentType,
    subtype: spec.subtype.replace(/^monitor\./, 'telemetry.'),
    visibility: spec.visibility ?? 'ORGANIZATION',
    pool: metadata.labels?.pool ?? null,
    endpoint: spec.endpoint ?? null,
    tokensPerCall: spec.budgets?.tokensPerCall ?? null,
    capabilities: spec.capabilities.map(({ name, description, input, output, examples }) => ({
      name,
      description: description.trim(),
      input,
      output,
      examples,
    })),
  }
}

const texts = list(text)

/** What has a meaning here; other fields are kept, and named. */
const meaning = record({
  apiVersion: text,
  kind: text,
  metadata: record({
    name: text,
    version: text,
    description: text,
    license: text,
    namespace: text,
    labels: map(text),
  }),
  spec: record({
    type: text,
    subtype: text,
    role: text,
    visibility: text,
    endpoint: text,
    capabilities: list(
      record({
        name: text,
        description: text,
        skill: text,
        configuration: object,
        input: object,
        output: object,
        examples: list(record({ description: text, input: anything })),
      }),
    ),
    protocols: object,
    budgets: record({ tokensPerCall: number }),
    performance: record({ p95LatencyMs: number, throughputPerSecond: number }),
    resources: record({ memory: anything, limits: record({ memory: anything }) }),
    sbom: object,
    dependencies: texts,
  }),
})

function readingOf(document: ManifestDocument): Reading {
  const understood = new Set<string>()
  meaning(document, '', understood)
  return {
    format: ownFormat,
    profile: null,
    remarks: [],
    notUnderstood: notUnderstoodIn(document, understood),
  }
}

/** What JSON Schema can't say. */
function ownRules({ spec }: ManifestDocument, { type, subtype, capabilities }: Manifest): Violation[] {
  const found: Violation[] = []
  if (!subtype.startsWith(`${type.toLowerCase()}.`))
    found.push({
      path: ['spec', 'subtype'],
      expected: `a subtype of ${spec.type}, as ${spec.type}.something`,
    })
  const names = new Set<string>()
  for (const [index, { name }] of capabilities.entries()) {
    if (names.has(name))
      found.push({
        path: ['spec', 'capabilities', `${index}`, 'name'],
        expected: 'a name that no other capability has',
      })
    names.add(name)
  }
  return found
}

/** Schemas must be JSON Schema 2020-12 and self-contained, examples must be valid for the input. */
function capabilityViolations(capabilities: readonly Capability[]): Violation[] {
  try {
    return within(examplesWithinMs, (compiled) => checkCapabilities(capabilities, compiled))
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    const expected = `schemas that the examples can be checked against in ${examplesWithinMs} ms`
    return [{ path: ['spec', 'capabilities'], expected }]
  }
}

function checkCapabilities(capabilities: readonly Capability[], compiled: Compiled): Violation[] {
  const found: Violation[] = []
  const compile = (schema: JsonSchema, path: string[]) => {
    try {
      return compiled(schema)
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      found.push({ path, expected: `JSON Schema 2020-12 (${error.message})` })
      return null
    }
  }
  for (const [index, { input, output, examples }] of capabilities.entries()) {
    const at = ['spec', 'capabilities', `${index}`]
    const validate = compile(input, [...at, 'input'])
    compile(output, [...at, 'output'])
    for (const [number, example] of examples.entries()) {
      if (!validate || validate(example.input)) continue
      const [error] = validate.errors ?? []
      const path = [...at, 'examples', `${number}`, 'input', ...stepsOf(error?.instancePath ?? '')]
      found.push({ path, expected: `what the input schema demands: ${error?.message ?? 'another value'}` })
    }
  }
  return found
}

function violation({ instancePath, keyword, params, message, parentSchema }: ErrorObject): Violation {
  const path = stepsOf(instancePath)
  const described = (parentSchema as { description?: string } | undefined)?.description
  if (keyword === 'required') {
    const missing = String(params.missingProperty)
    return { path: [...path, missing], expected: 'a value, it is missing' }
  }
  if (keyword === 'enum')
    return { path, expected: `one of ${(params.allowedValues as unknown[]).join(', ')}` }
  if (keyword === 'const') return { path, expected: String(params.allowedValue) }
  if (keyword === 'type') return { path, expected: `${String(params.type)}, not another type` }
  return { path, expected: described ?? message ?? 'another value' }
}

const stepsOf = (instancePath: string) =>
  instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
