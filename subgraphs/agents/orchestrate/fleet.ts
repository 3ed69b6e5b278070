import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { agentId } from '../register.ts'

/** What the orchestrator needs of a manifest in the repository; the whole of it is checked when it is registered. */
export type FleetAgent = {
  id: string
  organizationId: string
  version: string
  labels: Record<string, string>
  /** The file's text. */
  source: string
  tokensPerCall: number | null
  capability: string
  input: unknown
  output: Record<string, unknown>
  capabilities: { name: string; input: Record<string, unknown> }[]
}

const manifest = z.object({
  metadata: z.object({
    name: z.string(),
    version: z.string(),
    namespace: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    budgets: z.object({ tokensPerCall: z.int().optional() }).optional(),
    capabilities: z
      .array(
        z.object({
          name: z.string(),
          input: z.record(z.string(), z.unknown()),
          output: z.record(z.string(), z.unknown()),
          examples: z.array(z.object({ input: z.unknown() })).min(1),
        }),
      )
      .min(1),
  }),
})

export const fleetFolder = join(import.meta.dirname, '..', 'fleet')

// In the repository's manifests the home organization goes by this name.
const homeNamespace = 'ossa'

/** All agents of the fleet, by id, in the order of their numbers. */
export async function readFleet(folder: string, homeOrganization: string): Promise<Map<string, FleetAgent>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
  const agents: FleetAgent[] = []
  // One after the other: the event loop breathes between two files.
  for (const file of files) {
    const path = join(file.parentPath, file.name)
    agents.push(fleetAgent(await readFile(path, 'utf8'), path, homeOrganization))
  }
  const number = ({ labels }: FleetAgent) => Number(labels.number ?? Number.MAX_SAFE_INTEGER)
  agents.sort((a, b) => number(a) - number(b) || (a.id < b.id ? -1 : 1))
  return new Map(agents.map((agent) => [agent.id, agent]))
}

function fleetAgent(source: string, path: string, homeOrganization: string): FleetAgent {
  const parsed = manifest.safeParse(parse(source))
  if (!parsed.success)
    throw new Error(`${path} is no manifest of the fleet: ${z.prettifyError(parsed.error)}`)
  const { metadata, spec } = parsed.data
  const { name, version, namespace, labels } = metadata
  const organizationId = namespace === homeNamespace ? homeOrganization : namespace
  const [first] = spec.capabilities
  if (!first) throw new Error(`${path} has no capability`)
  return {
    id: agentId(organizationId, name, homeOrganization),
    organizationId,
    version,
    labels,
    source,
    tokensPerCall: spec.budgets?.tokensPerCall ?? null,
    capability: first.name,
    input: first.examples[0]?.input,
    output: first.output,
    capabilities: spec.capabilities.map((each) => ({ name: each.name, input: each.input })),
  }
}
