import { createHash } from 'node:crypto'
import type { Dispatcher } from 'undici'
import { z } from 'zod'
import { checkEndpoint } from '../../../kit/endpoint.ts'
import { askAgent, type Bounds, jsonOf } from '../http.ts'

const licence = z.union([
  z.object({ expression: z.string().min(1).max(1_000) }).transform(({ expression }) => expression),
  z
    .object({
      license: z.union([z.object({ id: z.string().min(1) }), z.object({ name: z.string().min(1) })]),
    })
    .transform(({ license }) => ('id' in license ? license.id : license.name)),
])

const types =
  'application framework library container platform operating-system device device-driver firmware file machine-learning-model data cryptographic-asset'.split(
    ' ',
  )

const component = z.object({
  type: z.enum(types),
  name: z.string().min(1).max(1_000),
  group: z.string().max(1_000).optional(),
  version: z.string().max(1_000).optional(),
  purl: z.string().max(2_000).optional(),
  licenses: z.array(licence).max(100).optional(),
  get components() {
    return z.array(component).optional()
  },
})

/** CycloneDX 1.4 to 1.7, JSON, in what the specification requires of what is read here (https://cyclonedx.org/docs). */
const bom = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.enum(['1.4', '1.5', '1.6', '1.7']),
  serialNumber: z
    .string()
    .regex(/^urn:uuid:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i)
    .optional(),
  version: z.int().min(1).optional(),
  metadata: z.object({ component: component.optional() }).optional(),
  components: z.array(component).optional(),
})

type Tree = z.output<typeof component>
export type Component = Omit<Tree, 'components'> & { /** JSON pointer. */ at: string }
export type Sbom = { subject: Tree | undefined; components: Component[] }

const maxComponents = 20_000
const maxDepth = 50

/** What an agent's manifest says of its SBOM: the document itself, or where it is and what it is then. */
const declared = z.object({
  spec: z.object({
    sbom: z.union([
      z.object({ url: z.url({ protocol: /^https?$/ }), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      z.looseObject({ bomFormat: z.unknown() }),
    ]),
  }),
})

/** Null where the manifest speaks of none. */
export async function sbomOf(
  manifest: unknown,
  { outbound, endpointAllow }: { outbound: Dispatcher; endpointAllow: readonly string[] },
  bounds: Bounds,
): Promise<Sbom | { problem: string } | null> {
  const { data: named } = z.object({ spec: z.object({ sbom: z.unknown() }) }).safeParse(manifest)
  if (named?.spec.sbom === undefined || named.spec.sbom === null) return null
  const read = declared.safeParse(manifest)
  if (!read.success)
    return { problem: 'expected spec.sbom to be a CycloneDX document, or its url and sha256' }
  const { sbom } = read.data.spec
  if (!('url' in sbom && 'sha256' in sbom)) return readSbom(sbom)
  const { url, sha256 } = z.object({ url: z.string(), sha256: z.string() }).parse(sbom)
  const refusal = await checkEndpoint(url, endpointAllow)
  if (refusal !== null) return { problem: refusal }
  const reply = await askAgent(url, { outbound }, bounds)
  if ('unanswered' in reply) return { problem: `${url}: ${reply.unanswered}` }
  if (reply.status !== 200) return { problem: `${url}: HTTP ${reply.status}` }
  // What is certified is what was named, not what is served by then.
  const digest = createHash('sha256').update(reply.text).digest('hex')
  return digest === sha256 ? readSbom(jsonOf(reply.text)) : { problem: `${url}: its SHA-256 is ${digest}` }
}

function readSbom(document: unknown): Sbom | { problem: string } {
  if (depthOf(document) > maxDepth) return { problem: `it is nested more than ${maxDepth} levels deep` }
  const read = bom.safeParse(document)
  if (!read.success) return { problem: z.prettifyError(read.error) }
  const components: Component[] = []
  const waiting = (read.data.components ?? []).map((each, index) => ({ each, at: `/components/${index}` }))
  // It grows while it is gone through.
  for (const { each, at } of waiting) {
    if (waiting.length > maxComponents) return { problem: `it names more than ${maxComponents} components` }
    const { components: inner = [], ...own } = each
    components.push({ ...own, at })
    for (const [index, one] of inner.entries()) waiting.push({ each: one, at: `${at}/components/${index}` })
  }
  return { subject: read.data.metadata?.component, components }
}

function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null || depth > maxDepth) return depth
  return Object.values(value).reduce<number>(
    (most, inner) => Math.max(most, depthOf(inner, depth + 1)),
    depth,
  )
}
