import { z } from 'zod'
import { callerToken } from '../../kit/caller-token.ts'
import { ClientError } from '../../kit/errors.ts'
import { GraphError } from '../../kit/graph.ts'
import { isAdministrator, type Principal } from '../../kit/principal.ts'
import type { Floor } from '../../kit/subgraph.ts'

/** Where an agent comes from, by its own document. */
export type Origin = { source: 'ENDPOINT' | 'NAMESPACE' | 'WEBSITE'; host: string }

const query = 'query ($id: ID!) { agent(id: $id) { endpoint manifest reading { format } } }'

const url = z.string().nullish().catch(null)
const withUrl = z.object({ url }).nullish().catch(null)
const withUrls = z.array(withUrl).catch([])
const document = z
  .object({
    name: z.string().catch(''),
    url,
    spec: z.object({ endpoint: url }).catch({ endpoint: null }),
    supportedInterfaces: withUrls,
    additionalInterfaces: withUrls,
    remotes: withUrls,
    servers: withUrls,
    host: url,
    info: z.object({ contact: withUrl }).catch({ contact: null }),
    provider: withUrl,
    websiteUrl: url,
    website_url: url,
  })
  .partial()
  .catch({})

const answer = z.object({
  agent: z
    .object({ endpoint: url, manifest: z.unknown(), reading: z.object({ format: z.string() }) })
    .nullable(),
})

/** As the graph tells the caller; null where there is no such agent that it may see. */
export async function originsFromGraph(
  floor: Floor,
  principal: Principal,
  agentId: string,
): Promise<Origin[] | null> {
  const token = await callerToken(floor, { ...principal, administrator: isAdministrator(principal) })
  const told = await floor.graph.ask(query, { id: agentId }, token).catch((error: unknown) => {
    if (!(error instanceof GraphError)) throw error
    const message = `the agent ${agentId} can not be looked up now, try again`
    throw Object.assign(new ClientError('UNAVAILABLE', message), { cause: error })
  })
  const { agent } = answer.parse(told)
  return agent && originsOf(agent.reading.format, agent.manifest, agent.endpoint ?? null)
}

// A document may name a thousand; whoever comes from it is among the first.
const mostOrigins = 50

/**
 * Hosts that the document names as its agent's own: where it is spoken to, its website, and the namespace of a server of the
 * MCP registry (`com.example/search`). Not its repository: those of all live on a few hosts, whose owners wrote none of them.
 */
export function originsOf(format: string, manifest: unknown, endpoint: string | null): Origin[] {
  const said = document.parse(manifest)
  const urlsIn = (list: z.output<typeof withUrls> = []) => list.map((each) => each?.url)
  const endpoints = [
    endpoint,
    said.spec?.endpoint,
    said.url,
    ...urlsIn(said.supportedInterfaces),
    ...urlsIn(said.additionalInterfaces),
    ...urlsIn(said.remotes),
    ...urlsIn(said.servers),
    // Of Swagger 2, without a scheme.
    said.host && `https://${said.host}`,
  ]
  const websites = [said.provider?.url, said.websiteUrl, said.website_url, said.info?.contact?.url]
  const found: Origin[] = [
    ...endpoints.flatMap(hostIn).map((host) => ({ source: 'ENDPOINT' as const, host })),
    ...(format === 'mcp/server.json' ? namespaceOf(said.name) : []),
    ...websites.flatMap(hostIn).map((host) => ({ source: 'WEBSITE' as const, host })),
  ]
  const byKey = new Map(found.map((each) => [`${each.source} ${each.host}`, each]))
  return [...byKey.values()].slice(0, mostOrigins)
}

function hostIn(address: string | null | undefined): string[] {
  if (address == null || !URL.canParse(address)) return []
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || protocol === 'http:' ? [hostname] : []
}

/** `com.example.team/search` is team.example.com's. */
function namespaceOf(name: string | undefined): Origin[] {
  const [, namespace] = /^([a-z0-9-]+(?:\.[a-z0-9-]+)+)\//i.exec(name ?? '') ?? []
  if (namespace === undefined) return []
  return [{ source: 'NAMESPACE', host: namespace.toLowerCase().split('.').toReversed().join('.') }]
}
