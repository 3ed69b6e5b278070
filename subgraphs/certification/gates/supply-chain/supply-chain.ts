import type { Dispatcher } from 'undici'
import type { ExaminedAgent } from '../../agent.ts'
import { type Finding, type Gate, notEvaluated } from '../gate.ts'
import { judgedWith, type Weakness, weaknessCheck } from '../weakness.ts'
import { licenceWeaknesses } from './licences.ts'
import { type OsvRecords, openOsvFolder } from './osv-folder.ts'
import { weakness } from './rules.ts'
import { type Sbom, sbomOf } from './sbom.ts'
import { vulnerabilityWeaknesses } from './vulnerabilities.ts'

export type SupplyChainOptions = {
  /** The folder with OSV's records; absent: no vulnerabilities can be known. */
  osvDir: string | undefined
  outbound: Dispatcher
  endpointAllow: readonly string[]
  timeoutMs?: number
  maxBytes?: number
}

const howToMount =
  'no OSV records: set OSV_DIR to a folder with records of osv.dev (all.zip of each ecosystem, unpacked)'

/** What the agent is made of, as its SBOM says: no known vulnerability that is grave, no licence that is denied. */
export const supplyChainGate = (options: SupplyChainOptions): Gate => {
  const records = options.osvDir === undefined ? null : openOsvFolder(options.osvDir)
  return {
    name: 'supply-chain',
    async evaluate(agent, signal) {
      const { timeoutMs = 10_000, maxBytes = 10 * 1024 * 1024 } = options
      const sbom = await sbomOf(agent.manifest, options, { timeoutMs, maxBytes, signal })
      if (!sbom) return notEvaluated('no SBOM: the manifest has no spec.sbom')
      if ('problem' in sbom) {
        const found = [weakness('sbom-not-readable', '/spec/sbom', sbom.problem)]
        return judgedWith([weaknessCheck('the SBOM is CycloneDX 1.4 to 1.7', found)], found)
      }
      const read = records && (await records().catch(unreadable))
      return await examine(agent, sbom, read, signal)
    },
  }
}

/** Why there are none. */
const unreadable = (error: unknown): string =>
  `the folder OSV_DIR can't be read: ${error instanceof Error ? error.message : String(error)}`

async function examine(
  agent: ExaminedAgent,
  { subject, components }: Sbom,
  records: OsvRecords | string | null,
  signal: AbortSignal,
): Promise<Finding> {
  const form = formWeaknesses(agent, subject, components.length)
  const licences = licenceWeaknesses(components)
  const checks = [
    weaknessCheck('the SBOM is CycloneDX 1.4 to 1.7', form, `${components.length} components`),
    weaknessCheck('no component has a licence that is denied', licences),
  ]
  const found = [...form, ...licences]
  if (records === null || typeof records === 'string' || records.size === 0) {
    const { verdict, evidence } = judgedWith(checks, found)
    // What fails without records fails.
    if (verdict === 'FAIL') return { verdict, evidence }
    const why = notEvaluated(typeof records === 'string' ? records : howToMount)
    return { verdict: why.verdict, evidence: { ...evidence, ...why.evidence, checks } }
  }
  const vulnerable = await vulnerabilityWeaknesses(components, records, signal)
  const { size, unreadable: wrong } = records
  const clean = `${components.length} components against ${size} records of OSV`
  checks.push(weaknessCheck('no component has a known vulnerability that is grave', vulnerable, clean))
  const { verdict, evidence } = judgedWith(checks, [...found, ...vulnerable])
  const figures = { components: components.length, records: size, unreadableRecords: wrong }
  return { verdict, evidence: { ...evidence, figures } }
}

function formWeaknesses(agent: ExaminedAgent, subject: Sbom['subject'], components: number): Weakness[] {
  const found: Weakness[] = []
  if (components === 0) found.push(weakness('sbom-empty', 'sbom:/components', 'no components'))
  const { version } = subject ?? {}
  if (version !== undefined && version !== agent.version)
    found.push(
      weakness(
        'sbom-of-another-version',
        'sbom:/metadata/component',
        `${version}, the agent is ${agent.version}`,
      ),
    )
  return found
}
