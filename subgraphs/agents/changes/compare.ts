import { isDeepStrictEqual } from 'node:util'
import { valid } from 'semver'
import { z } from 'zod'
import { DeadlinePassed, withinMs } from '../../kit/deadline.ts'
import { asCallersRead, type Honesty, honestyOf, type Release } from '../../kit/version-honesty.ts'
import { ownFormat } from '../manifest.ts'
import type { ChangedAspect } from '../schema.generated.ts'
import type { Comparison, Pair } from './store.ts'

type Difference = {
  aspect: ChangedAspect
  capability: string | null
  step: Honesty['demanded'] | null
  change: string
  before: unknown
  after: unknown
}

export type VersionChanges = Comparison &
  Pick<Honesty, 'honest' | 'demanded' | 'taken' | 'atLeast'> & { totalCount: number; changes: Difference[] }

/** What a document of another's format can be asked to do. */
export type ReadForeign = (document: Document) => Pick<Release, 'capabilities'>

type Document = Record<string, unknown>

const longestMs = 1_000
const mostChanges = 200
const longestShown = 4_000

/** Null where they can not be compared, or not in a second. */
export function changesBetween(
  compared: Comparison,
  { before, after }: Pair,
  readForeign: ReadForeign,
): VersionChanges | null {
  if (valid(compared.from) === null || valid(compared.to) === null) return null
  const release = (document: Document, version: string) => ({
    version,
    capabilities: (ownCapabilities(document) ?? readForeign(document)).capabilities,
  })
  const [old, renewed] = [release(before, compared.from), release(after, compared.to)]
  try {
    const { changes, ...honesty } = withinMs(longestMs, () => honestyOf(old, renewed, asCallersRead))
    const all = [
      ...changes.map((each) => ({ aspect: 'CAPABILITY' as const, ...each, before: null, after: null })),
      ...saidOtherwise(before, after),
    ]
    return { ...compared, ...honesty, totalCount: all.length, changes: all.slice(0, mostChanges) }
  } catch (error) {
    // Schemas that are nested too deep are followed until the stack ends.
    if (error instanceof DeadlinePassed || error instanceof RangeError) return null
    throw error
  }
}

const fields = z.record(z.string(), z.unknown())
const capability = z.object({ name: z.string(), description: z.string(), input: fields, output: fields })
const ownDocument = z.object({
  apiVersion: z.literal(ownFormat),
  spec: z.object({ capabilities: z.array(capability) }),
})

const ownCapabilities = (document: Document) => ownDocument.safeParse(document).data?.spec ?? null

/** Where documents of ours and of OSSA's, cards and descriptions of servers and of APIs say what. */
const places: [ChangedAspect, string[][]][] = [
  ['DESCRIPTION', [['metadata', 'description'], ['description'], ['info', 'description']]],
  ['SUBTYPE', [['spec', 'subtype']]],
  [
    'LICENSE',
    [
      ['metadata', 'license'],
      ['info', 'license'],
    ],
  ],
  ['ENDPOINT', [['spec', 'endpoint'], ['url'], ['servers']]],
  ['PROTOCOLS', [['spec', 'protocols'], ['supportedInterfaces'], ['protocolVersion']]],
  ['BUDGETS', [['spec', 'budgets']]],
  ['PERFORMANCE', [['spec', 'performance']]],
  ['DEPENDENCIES', [['spec', 'dependencies']]],
]

/** Version numbers are about what callers rely on: no step is demanded for these. */
function saidOtherwise(old: Document, renewed: Document): Difference[] {
  return places.flatMap(([aspect, paths]) => {
    const [before, after] = [saidAt(old, paths), saidAt(renewed, paths)]
    if (isDeepStrictEqual(before, after)) return []
    const change = before === null ? 'it is said now' : after === null ? 'it is no longer said' : 'it changed'
    return [{ aspect, capability: null, step: null, change, before: shown(before), after: shown(after) }]
  })
}

const saidAt = (document: Document, paths: readonly string[][]): unknown =>
  paths
    .map((path) => path.reduce<unknown>((whole, name) => fields.safeParse(whole).data?.[name], document))
    .find((said) => said !== undefined) ?? null

const shown = (said: unknown): unknown => (JSON.stringify(said).length > longestShown ? null : said)
