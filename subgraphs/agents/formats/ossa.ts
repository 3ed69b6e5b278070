import type { AgentType } from '../schema.generated.ts'
import {
  type Declared,
  type Draft,
  declaredCapabilities,
  nameOf,
  typeAlias,
  versionOf,
  wordsOf,
} from './draft.ts'
import { anything, either, type Fields, flag, list, map, number, object, record, text } from './shape.ts'

const texts = list(text)
const settings = either(object, list(anything))
const amount = either(number, text)

const capability = record({
  name: text,
  id: text,
  description: text,
  type: text,
  runtime: text,
  input_schema: object,
  output_schema: object,
  inputSchema: object,
  outputSchema: object,
  parameters: object,
  returns: object,
  instructions: text,
  timeout_seconds: number,
  retry_policy: object,
})

/** Something that the agent uses. */
const tool = record({
  type: text,
  name: text,
  description: text,
  server: text,
  namespace: text,
  endpoint: text,
  source: object,
  handler: object,
  auth: object,
  config: object,
  parameters: object,
  input: object,
  input_schema: object,
  inputSchema: object,
  output_schema: object,
  capabilities: texts,
  toolNames: texts,
})

const model = record({
  provider: text,
  model: text,
  name: text,
  profile: text,
  temperature: amount,
  maxTokens: amount,
  max_tokens: amount,
  topP: amount,
  top_p: amount,
  parameters: object,
  fallback: list(object),
  fallback_models: list(object),
  retry_config: object,
  cost_tracking: object,
  features: object,
})

const metadata = record({
  name: text,
  version: amount,
  description: text,
  namespace: text,
  agentType: text,
  agentKind: text,
  agentArchitecture: object,
  labels: map(either(text, either(number, flag))),
  annotations: map(either(text, either(number, flag))),
  tags: texts,
  author: either(text, object),
  license: text,
  repository: text,
  documentation: text,
  did: text,
  identity: object,
  catalog: object,
})

/** What a section of `spec` holds is how the agent is run where it comes from: kept as it is. */
const spec = record({
  type: text,
  subtype: text,
  description: text,
  role: text,
  system: text,
  instructions: text,
  taxonomy: record({ domain: text, subdomain: text, capability: text }),
  categories: texts,
  platforms: texts,
  endpoint: text,
  llm: either(model, text),
  model: either(model, text),
  capabilities: list(either(text, capability)),
  functions: list(capability),
  skills: list(either(text, capability)),
  tools: list(either(text, tool)),
  allowedTools: texts,
  inputs: settings,
  outputs: settings,
  a2a: object,
  protocols: object,
  agents: list(object),
  subagents: list(object),
  team: object,
  teamDiscovery: object,
  handoffs: list(object),
  dependencies: settings,
  contracts: object,
  steps: list(object),
  tasks: list(object),
  workflow: object,
  rules: list(object),
  defaultRoute: object,
  triggers: settings,
  schedule: object,
  scheduling: object,
  execution: object,
  execution_profile: object,
  timeouts: object,
  retry: object,
  error_handling: object,
  completion: object,
  checkpointing: object,
  lifecycle: object,
  state: object,
  memory: object,
  context: object,
  context_propagation: object,
  messaging: object,
  streaming: object,
  api: object,
  authentication: object,
  identity: object,
  security: object,
  safety: object,
  governance: object,
  compliance: object,
  autonomy: object,
  constraints: object,
  budgets: object,
  performance: object,
  token_efficiency: object,
  resources: object,
  runtime: object,
  observability: object,
  personality: object,
  tests: list(object),
  extensions: settings,
})

const shape = record({
  apiVersion: text,
  ossaVersion: amount,
  kind: text,
  metadata,
  spec,
  protocols: object,
  security: object,
  extensions: object,
})

type Document = NonNullable<ReturnType<typeof shape>>

/** OSSA 0.4 and 0.5: an Agent, a Workflow, which orchestrates, or a Skill, which is one piece of work. */
export function readOssa(document: Fields, understood: Set<string>): Draft {
  const profile: Document = shape(document, '', understood) ?? {}
  const { metadata: about = {}, spec: said = {} } = profile
  const remarks: string[] = []
  const type = typeIn(profile, remarks)
  return {
    format: profile.apiVersion ?? `ossa/v${profile.ossaVersion ?? '?'}`,
    name: nameOf(about.name, remarks),
    version: versionOf(about.version, remarks),
    description: about.description ?? said.description ?? said.role ?? said.instructions ?? '',
    labels: Object.fromEntries(
      Object.entries(about.labels ?? {}).map(([name, value]) => [name, String(value)]),
    ),
    type,
    subtype: subtypeIn(profile, type, remarks),
    endpoint: endpointIn(profile),
    capabilities: declaredCapabilities(declared(profile), remarks),
    profile,
    remarks,
  }
}

function typeIn({ kind, metadata: about = {}, spec: said = {} }: Document, remarks: string[]): AgentType {
  const given = typeAlias(said.type)
  if (given) return given
  const ofKind = kinds[about.agentKind ?? '']
  if (ofKind) return ofKind
  if (kind === 'Workflow') return 'ORCHESTRATOR'
  if (kind !== 'Skill') remarks.push('type: WORKER, since none of the nine is named')
  return 'WORKER'
}

const kinds: Record<string, AgentType> = {
  orchestrator: 'ORCHESTRATOR',
  coordinator: 'ORCHESTRATOR',
  supervisor: 'ORCHESTRATOR',
  'team-lead': 'ORCHESTRATOR',
  executor: 'WORKER',
  worker: 'WORKER',
  specialist: 'WORKER',
  teammate: 'WORKER',
  assistant: 'WORKER',
  analyst: 'TELEMETRY',
  monitor: 'TELEMETRY',
  observer: 'TELEMETRY',
  reviewer: 'CRITIC',
  critic: 'CRITIC',
  validator: 'VERIFIER',
  verifier: 'VERIFIER',
  tester: 'VERIFIER',
  judge: 'JUDGE',
  integrator: 'INTEGRATOR',
  router: 'INTEGRATOR',
  trainer: 'TRAINER',
  governor: 'GOVERNOR',
  guardian: 'GOVERNOR',
}

function subtypeIn(
  { kind, metadata: about = {}, spec: said = {} }: Document,
  type: AgentType,
  remarks: string[],
) {
  const prefix = type.toLowerCase()
  const given = said.subtype?.replace(/^monitor\./, 'telemetry.')
  if (given?.startsWith(`${prefix}.`)) return given
  const { domain, subdomain } = said.taxonomy ?? {}
  const label = about.labels?.domain ?? about.labels?.['ossa.dev/domain'] ?? about.labels?.category
  const finer = domain === undefined ? [label ?? kind?.toLowerCase() ?? 'general'] : [domain, subdomain]
  const subtype = [
    prefix,
    ...finer.flatMap((each) => (each === undefined ? [] : wordsOf(String(each)))),
  ].join('.')
  remarks.push(`subtype: ${subtype}`)
  return subtype
}

/** Where it says that it speaks A2A. An address of its card is not where it answers. */
function endpointIn({ spec: said = {}, protocols }: Document): string | null {
  const { a2a } = (protocols ?? said.protocols ?? {}) as { a2a?: { endpoint?: unknown } }
  const given = said.endpoint ?? a2a?.endpoint
  return typeof given === 'string' && /^https?:\/\//.test(given) && !given.includes('/.well-known/')
    ? given
    : null
}

/** What it can be asked for. Its tools are what it uses. */
function declared({ kind, metadata: about = {}, spec: said = {} }: Document): Declared[] {
  const sections = ['capabilities', 'functions', 'skills'] as const
  const found = sections.flatMap((section) =>
    (said[section] ?? []).map((each) => {
      const fields = typeof each === 'string' ? { name: each } : each
      return {
        name: fields.name ?? fields.id,
        description: fields.description,
        input: fields.input_schema ?? fields.inputSchema ?? fields.parameters,
        output: fields.output_schema ?? fields.outputSchema ?? fields.returns,
        examples: [],
      }
    }),
  )
  if (kind !== 'Skill' || found.length > 0) return found
  const examples = (said.tests ?? []).flatMap(({ prompt }) => (typeof prompt === 'string' ? [prompt] : []))
  return [{ name: about.name, description: said.description ?? about.description, examples }]
}
