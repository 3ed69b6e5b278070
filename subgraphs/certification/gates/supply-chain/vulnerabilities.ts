import type { Weakness } from '../weakness.ts'
import type { OsvRecords } from './osv-folder.ts'
import type { OsvRecord } from './osv-record.ts'
import { type Package, packageKey, packageOf } from './package.ts'
import { weakness } from './rules.ts'
import type { Component } from './sbom.ts'
import { severityOf } from './severity.ts'
import { isAffected } from './versions.ts'

type Hit = { id: string; names: string[]; weakness: Weakness }

const maxUnknown = 5

/** What records say of components, and components that nothing can be said of. */
export async function vulnerabilityWeaknesses(
  components: readonly Component[],
  records: OsvRecords,
  signal: AbortSignal,
): Promise<Weakness[]> {
  const found: Weakness[] = []
  const unknown: Weakness[] = []
  for (const { name, purl, at } of components) {
    signal.throwIfAborted()
    const named = purl === undefined ? null : packageOf(purl)
    if (named) found.push(...hitsOf(named, await records.of(named), `sbom:${at}`))
    else unknown.push(weakness('component-not-known', `sbom:${at}`, `${name}: ${purl ?? 'no purl'}`))
  }
  const more = unknown.length - maxUnknown
  const rest = more > 0 ? [weakness('component-not-known', 'sbom:/components', `${more} more`)] : []
  return [...found, ...unknown.slice(0, maxUnknown), ...rest]
}

function hitsOf(named: Package, records: readonly OsvRecord[], at: string): Weakness[] {
  const hits: Hit[] = []
  for (const record of records) {
    const hit = record.withdrawn ? null : hitOf(named, record, at)
    if (!hit) continue
    // Databases have records of their own for the same: the first stands for all, as grave as the gravest.
    const same = hits.find(({ names }) => names.some((name) => hit.names.includes(name)))
    if (!same) hits.push(hit)
    else {
      same.names.push(...hit.names)
      if (order.indexOf(hit.weakness.severity) > order.indexOf(same.weakness.severity))
        same.weakness = hit.weakness
    }
  }
  return hits.map(({ weakness: each }) => each)
}

const order = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']

function hitOf(named: Package, record: OsvRecord, at: string): Hit | null {
  const { id, aliases, summary } = record
  const names = [id, ...(aliases ?? [])]
  const what = `${named.name}@${named.version}: ${id}`
  let undecided = false
  for (const affected of record.affected ?? []) {
    const { package: of } = affected
    if (of?.name === undefined || !isSame(named, of.ecosystem, of.name)) continue
    const is = isAffected(named, affected)
    undecided ||= is === null
    if (is !== true) continue
    const [severity, why] = severityOf(record, affected)
    const seen = `${what}, ${why}${summary ? `: ${summary}` : ''}`
    return { id, names, weakness: weakness('vulnerable-component', at, seen, severity) }
  }
  return undecided ? { id, names, weakness: weakness('version-not-comparable', at, what) } : null
}

const isSame = (named: Package, ecosystem: string, name: string) =>
  packageKey(named.ecosystem, named.name) === packageKey(ecosystem, name)
