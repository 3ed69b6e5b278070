import semver from 'semver'
import type { CompatibilityAspect, CompatibilityGrade, Holds } from '../schema.generated.ts'
import { levels, type Party } from './party.ts'
import { answersOf, type Fit, fitOf } from './schemas.ts'

type Reason = { aspect: CompatibilityAspect; holds: Holds; reason: string }
export type Pair = Fit & { from: string; to: string }
type Capable = Pick<Party, 'capabilities'>
export type Compatibility = { grade: CompatibilityGrade; reasons: Reason[]; pairs: Pair[] }

/** Of either agent; a server may have hundreds of tools. */
const mostCapabilities = 20

/** Capabilities that are compared alone. */
export type Only = { from?: string; to?: string }

/**
 * Whether what the one answers can be handed to the other: all of it, some of it, or nothing, and why. `compared` are those of
 * `pairsOf`, or why there are none.
 */
export function compatibilityOf(
  from: Party,
  to: Party,
  only: Only,
  compared: readonly Pair[] | { refused: string },
): Compatibility {
  const pairs = 'refused' in compared ? [] : [...compared]
  const reasons: Reason[] = [
    protocols(from, to),
    'refused' in compared ? said('SCHEMA', 'UNKNOWN', compared.refused) : schemas(from, to, pairs, only),
    mediaTypes(from, to),
    authentication(to),
    models(to),
    context(from, to),
    dependencies(from, to),
    certification(from, to),
  ]
  return { grade: gradeOf(reasons), reasons, pairs }
}

function gradeOf(reasons: readonly Reason[]): CompatibilityGrade {
  if (reasons.some(({ holds }) => holds === 'NO')) return 'INCOMPATIBLE'
  return reasons.every(({ holds }) => holds === 'YES') ? 'COMPATIBLE' : 'CONDITIONAL'
}

const order: readonly Holds[] = ['YES', 'UNKNOWN', 'NO']

/** Each capability of the one with each of the other, those that fit first. It may take long: schemas are what somebody wrote. */
export function pairsOf(from: Capable, to: Capable, only: Only): Pair[] {
  const chosen = ({ capabilities }: Capable, name?: string) =>
    capabilities.filter((each) => name === undefined || each.name === name).slice(0, mostCapabilities)
  const takers = chosen(to, only.to)
  const pairs = chosen(from, only.from).flatMap((giver) => {
    const answers = answersOf(giver.output)
    return takers.map((taker) => ({
      from: giver.name,
      to: taker.name,
      ...fitOf(giver.output, taker.input, answers),
    }))
  })
  return pairs.toSorted((a, b) => order.indexOf(a.holds) - order.indexOf(b.holds))
}

const said = (aspect: CompatibilityAspect, holds: Holds, reason: string): Reason => ({
  aspect,
  holds,
  reason,
})

function schemas(from: Party, to: Party, pairs: readonly Pair[], only: Only): Reason {
  const [best] = pairs
  if (!best) return said('SCHEMA', 'UNKNOWN', 'one of them declares no such capability')
  const passedOver =
    (from.capabilities.length > mostCapabilities && only.from === undefined) ||
    (to.capabilities.length > mostCapabilities && only.to === undefined)
  const of = `${best.from} to ${best.to}: ${best.reason}`
  if (best.holds === 'NO' && passedOver)
    return said('SCHEMA', 'UNKNOWN', `none of the first ${mostCapabilities} capabilities of each fits; ${of}`)
  return said('SCHEMA', best.holds, of)
}

function protocols(from: Party, to: Party): Reason {
  if (from.protocols.length === 0 || to.protocols.length === 0)
    return said(
      'PROTOCOL',
      'UNKNOWN',
      `${from.protocols.length === 0 ? from.id : to.id} does not say what it speaks`,
    )
  const shared = from.protocols.flatMap((mine) =>
    to.protocols.filter(({ name }) => name === mine.name).map((theirs) => [mine, theirs] as const),
  )
  const shown = ({ protocols }: Party) =>
    protocols.map(({ name, version }) => `${name} ${version}`.trim()).join(', ')
  if (shared.length === 0)
    return said('PROTOCOL', 'NO', `${from.id} speaks ${shown(from)}, ${to.id} ${shown(to)}`)
  const fitting = shared.find(([mine, theirs]) => majorOf(mine.version) === majorOf(theirs.version))
  if (fitting)
    return said('PROTOCOL', 'YES', `both speak ${fitting[0].name} ${majorOf(fitting[0].version)}`.trim())
  if (shared.some((both) => both.some(({ version }) => version === '')))
    return said(
      'PROTOCOL',
      'UNKNOWN',
      `both speak ${shared[0]![0].name}, one of them does not say which version`,
    )
  return said('PROTOCOL', 'NO', `${from.id} speaks ${shown(from)}, ${to.id} ${shown(to)}`)
}

// Before 1.0 each minor version is another protocol; MCP's versions are dates.
function majorOf(version: string): string {
  const [major = '', minor = ''] = version.split('.')
  return major === '0' ? `0.${minor}` : major
}

function mediaTypes({ id, gives }: Party, { id: other, takes }: Party): Reason {
  if (gives === null || takes === null)
    return said(
      'MEDIA_TYPE',
      'UNKNOWN',
      `${gives === null ? id : other} does not say which it ${gives === null ? 'gives' : 'takes'}`,
    )
  const shared = gives.find((mine) => takes.some((theirs) => overlaps(mine, theirs)))
  return shared === undefined
    ? said('MEDIA_TYPE', 'NO', `${id} gives ${gives.join(', ')}, ${other} takes ${takes.join(', ')}`)
    : said('MEDIA_TYPE', 'YES', shared)
}

function overlaps(a: string, b: string): boolean {
  const [[aType, aSub], [bType, bSub]] = [partsOf(a), partsOf(b)]
  const same = (x: string, y: string) => x === y || x === '*' || y === '*'
  return same(aType, bType) && same(aSub, bSub)
}

function partsOf(mediaType: string): [string, string] {
  const [type = '', sub = '*'] = mediaType.toLowerCase().split(';')[0]!.trim().split('/')
  // A2A 0.3 cards say `text` for `text/plain`.
  return [type, sub]
}

const tokens = ['http bearer', 'oauth2', 'openIdConnect']

function authentication({ id, auth }: Party): Reason {
  if (auth === null) return said('AUTHENTICATION', 'UNKNOWN', `${id} does not say how it lets callers in`)
  if (auth.length === 0) return said('AUTHENTICATION', 'YES', `${id} lets everybody in`)
  const token = auth.find((scheme) => tokens.includes(scheme))
  if (token !== undefined) return said('AUTHENTICATION', 'YES', `${id} takes a token (${token})`)
  return said(
    'AUTHENTICATION',
    'UNKNOWN',
    `${id} wants ${auth.join(' or ')}, which its caller must have been given`,
  )
}

function models({ id, models: needed }: Party): Reason {
  if (needed.length === 0) return said('MODEL', 'YES', `${id} names no language model that it needs`)
  return said('MODEL', 'UNKNOWN', `${id} needs ${needed.join(', ')} where it runs`)
}

function context(from: Party, to: Party): Reason {
  const [gives, takes] = [from.tokensPerCall, to.tokensPerCall]
  if (gives === null || takes === null)
    return said('CONTEXT', 'UNKNOWN', `${gives === null ? from.id : to.id} declares no tokens for a call`)
  if (gives <= takes)
    return said('CONTEXT', 'YES', `an answer has at most ${gives} tokens, a request may have ${takes}`)
  return said(
    'CONTEXT',
    'UNKNOWN',
    `an answer may have ${gives} tokens, a request ${takes}: it may be too long`,
  )
}

function dependencies(from: Party, to: Party): Reason {
  const named = [
    ...from.dependencies.map((each) => [from, to, each] as const),
    ...to.dependencies.map((each) => [to, from, each] as const),
  ].filter(([, other, { name }]) => name === other.id)
  if (named.length === 0) return said('DEPENDENCY', 'YES', 'neither depends on the other')
  const broken = named.find(([, other, { range }]) => !semver.satisfies(other.version, range))
  const [by, of, { range }] = broken ?? named[0]!
  const depends = `${by.id} depends on ${of.id} ${range}, which is ${of.version}`
  return said('DEPENDENCY', broken ? 'NO' : 'YES', depends)
}

function certification(from: Party, to: Party): Reason {
  for (const [demands, other] of [
    [from, to],
    [to, from],
  ] as const) {
    const { floor } = demands
    const has = other.level === null ? -1 : levels.indexOf(other.level)
    if (floor !== null && has < levels.indexOf(floor))
      return said(
        'CERTIFICATION',
        'NO',
        `${demands.id} works with ${floor} or better, ${other.id} is ${other.level ?? 'not certified'}`,
      )
  }
  return said('CERTIFICATION', 'YES', 'neither demands more than the other has')
}
