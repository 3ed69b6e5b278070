import { readdir, readFile, stat } from 'node:fs/promises'
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
export type Fleet = () => Promise<ReadonlyMap<string, FleetAgent>>

type Read = { at: string; agent: FleetAgent }

const lookAgainMs = 1_000

/**
 * The manifests of a folder, looked at again after a second; those that have changed are read anew. Reading all 150 takes
 * 700 ms, which each submission of a plan did.
 */
export function openFleet(folder: string, homeOrganization: string): Fleet {
  let known = new Map<string, Read>()
  let current: { until: number; fleet: ReturnType<Fleet> } | null = null
  const look = async () => {
    known = await readChanged(folder, homeOrganization, known)
    const agents = [...known.values()].map(({ agent }) => agent)
    const number = ({ labels }: FleetAgent) => Number(labels.number ?? Number.MAX_SAFE_INTEGER)
    agents.sort((a, b) => number(a) - number(b) || (a.id < b.id ? -1 : 1))
    return new Map(agents.map((agent) => [agent.id, agent]))
  }
  return async () => {
    if (current && performance.now() < current.until) return await current.fleet
    const begun = { until: performance.now() + lookAgainMs, fleet: look() }
    current = begun
    try {
      return await begun.fleet
    } catch (error) {
      if (current === begun) current = null
      throw error
    }
  }
}

async function readChanged(
  folder: string,
  homeOrganization: string,
  known: ReadonlyMap<string, Read>,
): Promise<Map<string, Read>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
    .map((file) => join(file.parentPath, file.name))
  const found = new Map<string, Read>()
  const stats = await Promise.all(paths.map((path) => stat(path)))
  // One after the other: the event loop breathes between two files.
  for (const [index, path] of paths.entries()) {
    const at = `${stats[index]?.mtimeMs} ${stats[index]?.size}`
    const before = known.get(path)
    if (before?.at === at) found.set(path, before)
    else found.set(path, { at, agent: fleetAgent(await readFile(path, 'utf8'), path, homeOrganization) })
  }
  return found
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
