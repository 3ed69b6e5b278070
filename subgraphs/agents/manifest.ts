import { runInNewContext } from 'node:vm'
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { valid } from 'semver'
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import { badInput } from '../kit/errors.ts'
import manifestSchema from './manifest.schema.json' with { type: 'json' }
import type { AgentType, Visibility } from './schema.generated.ts'

export type Manifest = {
  /** As it came, read as JSON. */
  document: Record<string, unknown>
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

export type Capability = {
  name: string
  description: string
  input: JsonSchema
  output: JsonSchema
  examples: { description: string; input: unknown }[]
}

type JsonSchema = Record<string, unknown>

const maxSourceBytes = 256 * 1024
// A declared pattern may backtrack without end on an example; a manifest that needs longer is refused.
const examplesWithinMs = 1_000
const maxErrorsTold = 5

/** Throws ClientError that names the JSON pointer, the line and what was expected there. */
export type ReadManifest = (source: string) => Manifest

export function manifestReader(): ReadManifest {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: false })
  formats.default(ajv)
  ajv.addFormat('semver', (text) => /^\d/.test(text) && valid(text) !== null)
  const fits = ajv.compile<ManifestDocument>(manifestSchema)
  return (source) => {
    const text = readSource(source)
    const value: unknown = text.value
    if (!fits(value)) throw refusal(text, (fits.errors ?? []).map(violation))
    const manifest = manifestOf(value)
    const own = ownRules(value, manifest)
    if (own.length > 0) throw refusal(text, own)
    const examples = withinMs(examplesWithinMs, () => checkCapabilities(manifest.capabilities))
    if (examples.length > 0) throw refusal(text, examples)
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

function manifestOf(document: ManifestDocument): Manifest {
  const { metadata, spec } = document
  const type = spec.type === 'monitor' ? 'telemetry' : spec.type
  return {
    document,
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

type Violation = { path: string[]; expected: string }

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
function checkCapabilities(capabilities: readonly Capability[]): Violation[] {
  const found: Violation[] = []
  for (const [index, { input, output, examples }] of capabilities.entries()) {
    const at = ['spec', 'capabilities', `${index}`]
    const validate = compile(input, [...at, 'input'], found)
    compile(output, [...at, 'output'], found)
    for (const [number, example] of examples.entries()) {
      if (!validate || validate(example.input)) continue
      const [error] = validate.errors ?? []
      const path = [...at, 'examples', `${number}`, 'input', ...stepsOf(error?.instancePath ?? '')]
      found.push({ path, expected: `what the input schema demands: ${error?.message ?? 'another value'}` })
    }
  }
  return found
}

function compile(schema: JsonSchema, path: string[], found: Violation[]) {
  const ajv = new Ajv2020({ strict: false, addUsedSchema: false, logger: false })
  formats.default(ajv)
  try {
    return ajv.compile(schema)
  } catch (error) {
    found.push({
      path,
      expected: `JSON Schema 2020-12 (${error instanceof Error ? error.message : 'no schema'})`,
    })
    return null
  }
}

function withinMs(timeout: number, check: () => Violation[]): Violation[] {
  try {
    return runInNewContext('check()', { check }, { timeout }) as Violation[]
  } catch (error) {
    // An Error of the other context is none of this one's.
    const { code } = error as { code?: unknown }
    if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    return [
      {
        path: ['spec', 'capabilities'],
        expected: `schemas that the examples can be checked against in ${timeout} ms`,
      },
    ]
  }
}

type Source = { value: unknown; lineOf: (path: readonly string[]) => number }

function readSource(source: string): Source {
  if (Buffer.byteLength(source) > maxSourceBytes)
    throw badInput(`the manifest has more than ${maxSourceBytes} bytes`, 'source', 'at most 256 KiB')
  const lines = new LineCounter()
  const document = parsed(source, lines)
  const [error] = document.errors
  if (error)
    throw badInput(
      `the manifest is neither YAML nor JSON, line ${lines.linePos(error.pos[0]).line}: ${firstLine(error.message)}`,
      'source',
      'a YAML or JSON document',
    )
  const value = contentOf(document)
  const lineOf = (path: readonly string[]) => lineAt(document, lines, path)
  const text = JSON.stringify(value) ?? ''
  // Postgres stores neither NUL nor half a surrogate pair.
  if (/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i.test(text))
    throw badInput('the manifest has a character that is none of text', 'source', 'Unicode text without NUL')
  return { value, lineOf }
}

function parsed(source: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(source, { lineCounter, version: '1.2', schema: 'core', prettyErrors: false })
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
    throw error
  }
}

// Aliases that multiply, or nest without end, are refused by the parser at this point.
function contentOf(document: Document.Parsed): unknown {
  try {
    return JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: 100 })) ?? 'null') as unknown
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
    if (error instanceof ReferenceError || error instanceof TypeError)
      throw badInput(
        `the manifest can't be read: ${error.message}`,
        'source',
        'no excess of aliases, no cycle',
      )
    throw error
  }
}

const tooDeep = () =>
  badInput('the manifest is nested too deeply', 'source', 'a document of reasonable depth')

/** Of the deepest part of the path that is there. */
function lineAt(document: Document.Parsed, lines: LineCounter, path: readonly string[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const steps = path.slice(0, depth)
    const parent: unknown = document.getIn(steps.slice(0, -1), true) ?? document.contents
    const last = steps.at(-1)
    // A value may stand on a later line than its name.
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === last)
      : undefined
    const node: unknown = pair?.key ?? document.getIn(steps, true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}

function refusal({ lineOf }: Source, violations: readonly Violation[]) {
  const told = violations
    .slice(0, maxErrorsTold)
    .map(({ path, expected }) => `${pointer(path)} (line ${lineOf(path)}): expected ${expected}`)
  const more = violations.length - told.length
  const [first] = violations
  return badInput(
    `the manifest is not valid: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
    `source#${pointer(first?.path ?? [])}`,
    first?.expected,
  )
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

const pointer = (path: readonly string[]) =>
  path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

const firstLine = (text: string) => text.split('\n', 1)[0] ?? text
