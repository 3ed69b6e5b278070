import { badInput } from '../../kit/errors.ts'
import { type Manifest, manifestReader, ownFormat } from '../manifest.ts'
import { readAgentCard } from './agent-card.ts'
import type { Draft } from './draft.ts'
import { readMcpServer } from './mcp-server.ts'
import { readMcpTools } from './mcp-tools.ts'
import { readOpenApi } from './openapi.ts'
import { readOssa } from './ossa.ts'
import { readOssaAlpha } from './ossa-alpha.ts'
import { type Fields, notUnderstoodIn } from './shape.ts'
import { readSources, refusalOf, type Source } from './source.ts'

const mostManifestBytes = 256 * 1024
const mostImportBytes = 1024 * 1024
const mostDocuments = 1_000
const longestDescription = 2_000

export type ReadDocuments = {
  /** Exactly one. Throws ClientError that names what was expected, with the pointer and the line. */
  one: (source: string) => Manifest
  /** Each apart, so that one that is refused stops no other. Throws where the text is none. */
  all: (source: string) => (() => Manifest)[]
}

/** Reads manifests of every kind. */
export function documentReader(): ReadDocuments {
  const readOwn = manifestReader()
  const read = (source: Source): Manifest => {
    const foreign = formatOf(source.value)
    if (!foreign) return readOwn(source)
    return manifestOf(source.value as Fields, foreign, source)
  }
  return {
    one(source) {
      const [first, ...others] = readSources(source, mostManifestBytes)
      if (first && others.length === 0) return read(first)
      throw badInput(
        `the source has ${first ? others.length + 1 : 'no'} documents`,
        'source',
        'one document; importAgents takes several',
      )
    },
    all(source) {
      const found = readSources(source, mostImportBytes)
      if (found.length > mostDocuments)
        throw badInput(`the source has ${found.length} documents`, 'source', `at most ${mostDocuments}`)
      return found.map((each) => () => {
        if (Buffer.byteLength(each.text) > mostManifestBytes)
          throw badInput(`a document has more than ${mostManifestBytes} bytes`, 'source', 'at most 256 KiB')
        return read(each)
      })
    },
  }
}

type Format = {
  read: (document: Fields, understood: Set<string>) => Draft
  /** Where it has its name. */
  name: string[]
}

const formats = {
  ossaAlpha: { read: readOssaAlpha, name: ['metadata', 'name'] },
  ossa: { read: readOssa, name: ['metadata', 'name'] },
  mcpTools: { read: readMcpTools, name: ['serverInfo', 'name'] },
  agentCard: { read: readAgentCard, name: ['name'] },
  mcpServer: { read: readMcpServer, name: ['name'] },
  openApi: { read: readOpenApi, name: ['info', 'title'] },
} satisfies Record<string, Format>

/** What a document is, by the fields that only its kind has; null: our own, or nothing that we know. */
function formatOf(value: unknown): Format | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const document = value as Fields
  const has = (...names: string[]) => names.every((name) => Object.hasOwn(document, name))
  const version = document.apiVersion ?? document.ossaVersion
  if (has('metadata', 'spec') && version !== undefined) {
    if (/^ossa\.io\/v0\.1\b/.test(textIn(version))) return formats.ossaAlpha
    return isOwn(document) ? null : formats.ossa
  }
  if (has('info', 'paths') && (has('openapi') || has('swagger'))) return formats.openApi
  if (has('serverInfo', 'tools')) return formats.mcpTools
  if (has('skills') && (has('url') || has('supportedInterfaces'))) return formats.agentCard
  if (has('name') && (has('packages') || has('remotes') || has('version_detail'))) return formats.mcpServer
  if (has('name', 'repository') && textIn(document.$schema).includes('server.schema'))
    return formats.mcpServer
  return null
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '')

const foreignSections = [
  'llm',
  'model',
  'tools',
  'taxonomy',
  'instructions',
  'agents',
  'steps',
  'team',
  'autonomy',
]

/** OSSA's 0.5 and ours have one name: ours says what the agent is and how each capability is asked for. */
function isOwn({ apiVersion, kind, spec }: Fields): boolean {
  if (apiVersion !== ownFormat || kind !== 'Agent') return !textIn(apiVersion ?? 'ossa/').startsWith('ossa/')
  if (typeof spec !== 'object' || spec === null) return true
  const said = spec as Fields
  if (said.type !== undefined || said.subtype !== undefined) return true
  return !foreignSections.some((name) => Object.hasOwn(said, name))
}

function manifestOf(document: Fields, { read, name }: Format, source: Source): Manifest {
  const understood = new Set<string>()
  const { format, profile, remarks, endpoint, ...draft } = read(document, understood)
  if (draft.name === '')
    throw refusalOf(source, [{ path: name, expected: 'a name with a letter or a digit' }])
  const description = draft.description.trim() || draft.name
  if (description !== draft.description.trim()) remarks.push('description: the name, since none is given')
  if (endpoint !== null && !/^https?:\/\//.test(endpoint))
    throw refusalOf(source, [{ path: [], expected: `an http or https endpoint, not ${endpoint}` }])
  const short = description.slice(0, longestDescription)
  if (short !== description) remarks.push(`description: its first ${longestDescription} characters`)
  return {
    ...draft,
    source: source.text,
    document,
    reading: { format, profile, remarks, notUnderstood: notUnderstoodIn(document, understood) },
    description: short.toWellFormed(),
    namespace: null,
    visibility: 'ORGANIZATION',
    // Our pools host the skills of our own.
    pool: null,
    endpoint,
    tokensPerCall: null,
  }
}
