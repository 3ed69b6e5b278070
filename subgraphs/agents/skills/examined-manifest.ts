import { z } from 'zod'
import type { SkillContext } from './skill.ts'

export type JsonSchema = Record<string, unknown>

const schema = z.record(z.string().max(100), z.unknown())
const capability = z.looseObject({
  name: z.string().min(1).max(100).describe('Unique within the agent'),
  description: z.string().max(2000).optional().describe('What is done'),
  input: schema.optional().describe('JSON Schema of a request'),
  output: schema.optional().describe('JSON Schema of an answer'),
  examples: z
    .array(z.looseObject({ description: z.string().max(500).optional(), input: z.unknown() }))
    .max(20)
    .optional()
    .describe('Requests that it answers'),
})

/** As far as critics read it: what a good manifest has may be missing, and is then what they say. */
const manifestSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string().min(1).max(63).describe('As the agent is called'),
    version: z.string().max(100).optional().describe('A semantic version'),
    description: z.string().max(2000).optional().describe('What it does and when to pick it'),
    namespace: z.string().max(200).optional().describe('The organization that owns it'),
    license: z.string().max(200).optional().describe('An SPDX expression'),
  }),
  spec: z.looseObject({
    type: z.string().max(60).optional().describe('One of the nine types'),
    role: z.string().max(20_000).optional().describe('What it is told to be'),
    visibility: z.string().max(20).optional().describe('Who may see it'),
    endpoint: z.string().max(2000).optional().describe('Where it speaks A2A'),
    capabilities: z.array(capability).min(1).max(20).describe('What it can be asked to do'),
    budgets: z.looseObject({ tokensPerCall: z.number().optional() }).optional().describe('What it may use'),
    dependencies: z.array(z.string().max(200)).max(100).optional().describe('What it relies on'),
  }),
})
export type ExaminedManifest = z.output<typeof manifestSchema>

export const examinedInput = z
  .strictObject({
    manifest: manifestSchema.optional().describe('The manifest itself, read as JSON'),
    agentId: z.string().min(1).max(160).optional().describe('Or the id of a registered agent'),
  })
  .refine(({ manifest, agentId }) => (manifest === undefined) !== (agentId === undefined), {
    message: 'needs either a manifest or an agentId',
  })

const answer = z.object({ agent: z.object({ manifest: manifestSchema }).nullable() })

/** The manifest given, or that of the agent named as the graph has it. */
export async function manifestOf(
  { manifest, agentId }: z.output<typeof examinedInput>,
  context: SkillContext,
): Promise<ExaminedManifest> {
  if (manifest) return manifest
  const { agent } = answer.parse(
    await context.graph('query Manifest($id: ID!) { agent(id: $id) { manifest } }', { id: agentId }),
  )
  if (!agent) throw new Error(`agentId: there is no agent ${agentId} that may be seen`)
  return agent.manifest
}

export type SchemaNode = { path: string; node: JsonSchema }
const maxNodes = 1000

/** A schema and the schemas within it, each with the pointer to where it stands; throws where there are too many. */
export function schemaNodes(root: JsonSchema | undefined, path: string): SchemaNode[] {
  const waiting: SchemaNode[] = root ? [{ path, node: root }] : []
  // It grows while it is gone through.
  for (const { node, path: at } of waiting) {
    if (waiting.length > maxNodes) throw new Error(`${path}: has more than ${maxNodes} parts`)
    for (const keyword of ['properties', '$defs', 'patternProperties'])
      for (const [name, inner] of Object.entries(asSchema(node[keyword]) ?? {}))
        push(waiting, inner, `${at}/${keyword}/${name}`)
    for (const keyword of ['items', 'additionalProperties', 'contains', 'not'])
      push(waiting, node[keyword], `${at}/${keyword}`)
    for (const keyword of ['anyOf', 'oneOf', 'allOf', 'prefixItems'])
      for (const [index, inner] of listOf(node[keyword]).entries())
        push(waiting, inner, `${at}/${keyword}/${index}`)
  }
  return waiting
}

function push(waiting: SchemaNode[], value: unknown, path: string): void {
  const node = asSchema(value)
  if (node) waiting.push({ path, node })
}

export const asSchema = (value: unknown): JsonSchema | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

export const typesOf = ({ type }: JsonSchema): string[] =>
  [type].flat().filter((one): one is string => typeof one === 'string')

/** The same without patterns and formats: an author's pattern may backtrack for ever. */
export function withoutPatterns(value: unknown, depth = 0): unknown {
  if (depth > 40) throw new Error('the schema is nested more than 40 levels deep')
  if (Array.isArray(value)) return value.map((one) => withoutPatterns(one, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, one]) => !(key === 'pattern' && typeof one === 'string') && key !== 'patternProperties')
      .map(([key, one]) => [key, withoutPatterns(one, depth + 1)]),
  )
}
