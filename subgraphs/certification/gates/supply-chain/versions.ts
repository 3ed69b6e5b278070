import { compare as comparePep440, valid as isPep440 } from '@renovatebot/pep440'
import semver from 'semver'
import type { Affected } from './osv-record.ts'
import type { Package } from './package.ts'

type Compare = (a: string, b: string) => number

/** Below zero where `a` comes first; null where the order of one of them is not known. */
export function compareVersions(
  ecosystem: string,
  type: 'SEMVER' | 'ECOSYSTEM',
  a: string,
  b: string,
): number | null {
  if (a === b) return 0
  const compare = ecosystem === 'PyPI' && type === 'ECOSYSTEM' ? pep440 : semantic
  const known = type === 'SEMVER' || ecosystem === 'PyPI' || isSemantic.has(ecosystem)
  const order = known ? compare(a, b) : null
  return order ?? plain(a, b)
}

const isSemantic = new Set(['npm', 'crates.io', 'Go', 'Hex', 'Pub', 'SwiftURL', 'GitHub Actions'])

const pep440 = (a: string, b: string): number | null =>
  isPep440(a) !== null && isPep440(b) !== null ? comparePep440(a, b) : null

function semantic(a: string, b: string): number | null {
  const [first, second] = [semver.parse(whole(a)), semver.parse(whole(b))]
  return first && second ? semver.compare(first, second) : null
}

/** `1.2` as `1.2.0`, as records and lock files shorten it; Go's `v` before it goes. */
const whole = (version: string) =>
  version
    .replace(/^v/, '')
    .replace(/^(\d+)(\.\d+)?(?=$|[-+])/, (_, major: string, minor = '.0') => `${major}${minor}.0`)

/** Numbers with dots between come in the same order everywhere. */
function plain(a: string, b: string): number | null {
  const numbers = /^\d+(?:\.\d+){0,9}$/
  if (!numbers.test(a) || !numbers.test(b)) return null
  const [left, right] = [a, b].map((version) => version.split('.').map(BigInt))
  for (let index = 0; index < Math.max(left!.length, right!.length); index++) {
    const [one, other] = [left![index] ?? 0n, right![index] ?? 0n]
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}

/** Whether a version is among those affected; null where nobody here can tell. */
export function isAffected({ ecosystem, version }: Package, { versions, ranges }: Affected): boolean | null {
  if (versions?.includes(version)) return true
  const said = (ranges ?? []).map(({ type, events }) => {
    // The order of commits is their repository's to tell, which is not here.
    if (type === 'GIT') return false
    return withinEvents((a, b) => compareOrThrow(ecosystem, type, a, b), version, events)
  })
  if (said.includes(true)) return true
  // Of what has no order, a list of versions tells all.
  return said.includes(null) && (versions ?? []).length === 0 ? null : false
}

class NoOrder extends Error {}

function compareOrThrow(ecosystem: string, type: 'SEMVER' | 'ECOSYSTEM', a: string, b: string): number {
  const order = compareVersions(ecosystem, type, a, b)
  if (order === null) throw new NoOrder()
  return order
}

type Event = { at: string; kind: 'introduced' | 'fixed' | 'last_affected' }

/** As the specification evaluates events: https://ossf.github.io/osv-schema/#evaluation. */
function withinEvents(
  compare: Compare,
  version: string,
  events: NonNullable<Affected['ranges']>[number]['events'],
): boolean | null {
  const told = events.flatMap(({ introduced, fixed, last_affected: last }): Event[] => {
    if (introduced !== undefined) return [{ at: introduced, kind: 'introduced' }]
    if (fixed !== undefined) return [{ at: fixed, kind: 'fixed' }]
    return last === undefined ? [] : [{ at: last, kind: 'last_affected' }]
  })
  try {
    const inOrder = told.toSorted((a, b) =>
      a.at === '0' ? (b.at === '0' ? 0 : -1) : b.at === '0' ? 1 : compare(a.at, b.at),
    )
    let affected = false
    for (const { at, kind } of inOrder) {
      const order = at === '0' ? 1 : compare(version, at)
      if (kind === 'introduced' && order >= 0) affected = true
      if (kind === 'fixed' && order >= 0) affected = false
      if (kind === 'last_affected' && order > 0) affected = false
    }
    return affected
  } catch (error) {
    if (!(error instanceof NoOrder)) throw error
    return null
  }
}
