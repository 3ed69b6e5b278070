import { z } from 'zod'

type Schema = Record<string, unknown>

export const levels = ['BRONZE', 'SILVER', 'GOLD'] as const
type Level = (typeof levels)[number]

/** What decides whether an agent fits another, from its document, whatever its format is. */
export type Party = {
  id: string
  version: string
  capabilities: { name: string; input: Schema; output: Schema }[]
  /** What it speaks, with versions; empty where nothing is said. */
  protocols: { name: string; version: string }[]
  /** Media types that it takes and gives; null where nothing is said. */
  takes: string[] | null
  gives: string[] | null
  /** Kinds of security schemes, any of which lets a caller in; null where nothing is said, empty where none is needed. */
  auth: string[] | null
  /** Of language models that it needs; empty where it needs none. */
  models: string[]
  /** What a call may cost in tokens, both ways. */
  tokensPerCall: number | null
  /** As `name` or `name@range`. */
  dependencies: { name: string; range: string }[]
  /** What it demands of whom it works with. */
  floor: Level | null
  /** What it has. */
  level: Level | null
}

const fields = z.record(z.string(), z.unknown())
const texts = z.array(z.string()).catch([])
const list = z.array(z.unknown()).catch([])

/** Of an agent as the graph tells of it. */
export const agent = z.object({
  id: z.string(),
  version: z.string(),
  endpoint: z.string().nullable(),
  manifest: fields,
  reading: z.object({ format: z.string(), profile: fields.nullable() }),
  capabilities: z.array(z.object({ name: z.string(), input: fields, output: fields })),
  certification: z.object({ status: z.string(), level: z.enum(levels) }).nullish(),
})

export function partyOf(told: z.output<typeof agent>): Party {
  const { id, version, capabilities, certification, reading } = told
  const [format = ''] = reading.format.split('/')
  const document = reading.profile ?? told.manifest
  const spec = part(document, 'spec')
  return {
    id,
    version,
    capabilities,
    level: certification?.status === 'CERTIFIED' ? certification.level : null,
    floor: z.enum(levels).safeParse(part(spec, 'requires').certification).data ?? null,
    tokensPerCall: z.number().safeParse(part(spec, 'budgets').tokensPerCall).data ?? null,
    dependencies: dependenciesOf(spec.dependencies),
    models: modelsOf(spec),
    ...speaks(format, told, document),
  }
}

type Speaks = Pick<Party, 'protocols' | 'takes' | 'gives' | 'auth'>

function speaks(format: string, told: z.output<typeof agent>, document: Record<string, unknown>): Speaks {
  if (format === 'a2a') return ofCard(document)
  if (format === 'mcp') return ofMcp(told.reading.format, document)
  if (format === 'openapi') return ofOpenApi(document)
  return ofOssa(told, part(document, 'spec'))
}

const binding = z.object({ protocolVersion: z.string().optional() })

function ofCard(card: Record<string, unknown>): Speaks {
  const interfaces = z.array(binding).safeParse(card.supportedInterfaces).data ?? []
  const versions = interfaces.map(({ protocolVersion }) => protocolVersion ?? '1.0')
  const old = z.string().safeParse(card.protocolVersion).data ?? '0.3'
  const skills = z.array(fields).safeParse(card.skills).data ?? []
  const modes = (whole: unknown, own: string) => [
    ...new Set([...texts.parse(whole), ...skills.flatMap((skill) => texts.parse(skill[own]))]),
  ]
  return {
    protocols: [...new Set(versions.length > 0 ? versions : [old])].map((version) => ({
      name: 'A2A',
      version,
    })),
    takes: modes(card.defaultInputModes, 'inputModes'),
    gives: modes(card.defaultOutputModes, 'outputModes'),
    auth: Object.values(part(card, 'securitySchemes')).map(schemeOf),
  }
}

// In 1.0 a scheme is named by its only field, in 0.3 by its type.
function schemeOf(scheme: unknown): string {
  const said = fields.safeParse(scheme).data ?? {}
  const type =
    typeof said.type === 'string' ? said.type : (Object.keys(said)[0] ?? '').replace(/SecurityScheme$/, '')
  const http = typeof said.scheme === 'string' ? said.scheme : part(said, 'httpAuthSecurityScheme').scheme
  return type.startsWith('http') ? `http ${typeof http === 'string' ? http.toLowerCase() : ''}`.trim() : type
}

const json = ['application/json']

function ofMcp(format: string, server: Record<string, unknown>): Speaks {
  const version = part(server, '_meta').protocolVersion ?? server.protocolVersion
  return {
    protocols: [{ name: 'MCP', version: typeof version === 'string' ? version : '' }],
    // A tool takes and gives JSON; text and images beside it only the tool itself knows.
    takes: json,
    gives: format === 'mcp/tools' ? json : null,
    auth: null,
  }
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

/** Of 3.x what each operation says, of 2.0 what stands for all or for one. */
function ofOpenApi(api: Record<string, unknown>): Speaks {
  const components = part(api, 'components')
  const schemes = { ...part(components, 'securitySchemes'), ...part(api, 'securityDefinitions') }
  const operations = Object.values(part(api, 'paths')).flatMap((item) =>
    methods.map((method) => part(fields.safeParse(item).data ?? {}, method)),
  )
  const bodies = [
    ...operations.map((each) => each.requestBody),
    ...Object.values(part(components, 'requestBodies')),
  ]
  const responses = [
    ...operations.flatMap((each) => Object.values(part(each, 'responses'))),
    ...Object.values(part(components, 'responses')),
  ]
  const mediaTypes = (contents: unknown[], word: string) => {
    const found = [
      ...contents.flatMap((each) => Object.keys(part(fields.safeParse(each).data ?? {}, 'content'))),
      ...[api, ...operations].flatMap((each) => texts.parse(each[word])),
    ]
    return found.length > 0 ? [...new Set(found)] : null
  }
  return {
    // What HTTP means is the same in all of its versions.
    protocols: [{ name: 'HTTP', version: '1' }],
    takes: mediaTypes(bodies, 'consumes'),
    gives: mediaTypes(responses, 'produces'),
    auth: demands(api, operations) ? [...new Set(Object.values(schemes).map(schemeOf))] : [],
  }
}

/** Whether any operation wants a caller to show who it is. */
function demands(api: Record<string, unknown>, operations: Record<string, unknown>[]): boolean {
  const all = list.parse(api.security)
  return operations
    .filter((each) => Object.keys(each).length > 0)
    .some((each) => {
      const alternatives = each.security === undefined ? all : list.parse(each.security)
      return (
        alternatives.length > 0 &&
        alternatives.every((each) => Object.keys(fields.safeParse(each).data ?? {}).length > 0)
      )
    })
}

function ofOssa({ endpoint, reading }: z.output<typeof agent>, spec: Record<string, unknown>): Speaks {
  const declared = Object.entries(part(spec, 'protocols')).map(([name, said]) => {
    const { version } = fields.safeParse(said).data ?? {}
    return { name: name.toUpperCase(), version: typeof version === 'string' ? version : '' }
  })
  // Ours demand a token that is made out to them.
  const isOurs = reading.profile === null
  const protocols = declared.length === 0 && endpoint !== null ? [{ name: 'A2A', version: '1.0' }] : declared
  return isOurs
    ? { protocols, takes: json, gives: json, auth: ['http bearer'] }
    : { protocols, takes: null, gives: null, auth: null }
}

function dependenciesOf(said: unknown): Party['dependencies'] {
  return texts.parse(said).map((each) => {
    const at = each.lastIndexOf('@')
    return at > 0 ? { name: each.slice(0, at), range: each.slice(at + 1) } : { name: each, range: '*' }
  })
}

function modelsOf(spec: Record<string, unknown>): string[] {
  return [spec.llm, spec.model].flatMap((said) => {
    if (typeof said === 'string') return [said]
    const { provider, model } = fields.safeParse(said).data ?? {}
    const named = [provider, model].filter((each) => typeof each === 'string')
    return named.length > 0 ? [named.join('/')] : []
  })
}

const part = (whole: Record<string, unknown>, name: string): Record<string, unknown> =>
  fields.safeParse(whole[name]).data ?? {}
