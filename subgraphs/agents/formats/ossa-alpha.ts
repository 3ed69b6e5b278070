import { type Draft, declaredCapabilities, nameOf, typeAlias, versionOf, wordsOf } from './draft.ts'
import { type Fields, flag, list, map, number, object, record, text } from './shape.ts'

const texts = list(text)
const amounts = record({ cpu: text, memory: text, storage: text })
const budget = record({ default: number, maximum: number, strategy: text })

const shape = record({
  apiVersion: text,
  kind: text,
  metadata: record({
    name: text,
    version: text,
    description: text,
    labels: map(text),
    annotations: map(text),
    author: text,
    license: text,
    repository: text,
    documentation: text,
  }),
  spec: record({
    type: text,
    subtype: text,
    capabilities: record({
      domains: texts,
      operations: list(
        record({ name: text, description: text, inputSchema: object, outputSchema: object, timeout: number }),
      ),
      inputFormats: texts,
      outputFormats: texts,
      tokenEfficiency: record({ strategies: texts, compressionRatio: number }),
    }),
    protocols: record({
      supported: list(
        record({
          name: text,
          version: text,
          endpoint: text,
          authentication: record({ type: text, config: object }),
          tls: flag,
        }),
      ),
      preferred: text,
    }),
    conformance: record({
      level: text,
      certifications: texts,
      auditLogging: flag,
      feedbackLoop: flag,
      propsTokens: flag,
      learningSignals: flag,
    }),
    performance: record({
      throughput: record({ requestsPerSecond: number, concurrentRequests: number }),
      latency: record({ p50: number, p95: number, p99: number }),
      limits: record({ maxRequestSize: number, maxResponseSize: number, timeout: number }),
    }),
    resources: record({ requests: amounts, limits: amounts }),
    feedbackLoop: record({ phase: text, inputs: texts, outputs: texts }),
    budgets: record({ tokens: budget, time: budget }),
    dependencies: record({
      agents: list(record({ name: text, version: text, optional: flag })),
      services: list(record({ name: text, endpoint: text, healthCheck: text })),
    }),
  }),
  status: object,
})

/** OSSA 0.1.9 (https://ossa.bluefly.io/schemas/agent-manifest/v0.1.9-alpha.1). */
export function readOssaAlpha(document: Fields, understood: Set<string>): Draft {
  const profile = shape(document, '', understood) ?? {}
  const { metadata: about = {}, spec: said = {} } = profile
  const remarks: string[] = []
  const given = typeAlias(said.type)
  const type = given ?? 'WORKER'
  if (!given) remarks.push(`type: WORKER, for ${said.type ?? 'none'}`)
  const { domains = [], operations = [] } = said.capabilities ?? {}
  // Of the protocols that the format knows none is A2A; some say so all the same.
  const a2a = said.protocols?.supported?.find(({ name }) => name?.toLowerCase() === 'a2a')
  return {
    format: 'ossa/v0.1.9',
    name: nameOf(about.name, remarks),
    version: versionOf(about.version, remarks),
    description: about.description ?? '',
    labels: about.labels ?? {},
    type,
    subtype: subtypeIn(said.subtype, type.toLowerCase(), domains, remarks),
    endpoint: a2a?.endpoint ?? null,
    capabilities: declaredCapabilities(
      operations.map(({ name, description, inputSchema: input, outputSchema: output }) => ({
        name,
        description,
        input,
        output,
        examples: [],
      })),
      remarks,
    ),
    profile,
    remarks,
  }
}

function subtypeIn(given: string | undefined, prefix: string, domains: readonly string[], remarks: string[]) {
  const named = given?.replace(/^monitor\./, 'telemetry.')
  if (named?.startsWith(`${prefix}.`)) return named
  const subtype = [prefix, ...wordsOf(domains[0] ?? 'general')].join('.')
  remarks.push(`subtype: ${subtype}, for ${given ?? 'none'}`)
  return subtype
}
