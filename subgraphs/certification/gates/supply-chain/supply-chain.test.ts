import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openOutbound } from '../../../kit/outbound.ts'
import { testAgent } from '../test-agent.ts'
import { sbomWith } from '../testing/manifest.ts'
import { osvFolder } from '../testing/osv-records.ts'
import { supplyChainGate } from './supply-chain.ts'

const endpointAllow = ['127.0.0.0/8']
const { signal } = new AbortController()

function gateOver(osvDir: string | undefined) {
  const outbound = openOutbound({ allow: endpointAllow, trusted: [] })
  const gate = supplyChainGate({ osvDir, outbound, endpointAllow, timeoutMs: 1_000, maxBytes: 100_000 })
  return (sbom: unknown) => {
    const agent = testAgent('made-of-parts', null)
    return gate.evaluate(
      { ...agent, manifest: { ...agent.manifest, spec: { ...agent.manifest.spec, sbom } } },
      signal,
    )
  }
}

const gradesOf = (found: Awaited<ReturnType<ReturnType<typeof gateOver>>>) => ({
  verdict: found.verdict,
  found: (found.evidence.findings ?? []).map(({ rule, severity, seen }) => `${severity} ${rule} ${seen}`),
})

test('components are matched by version, and graded as their records say', async () => {
  await using records = await osvFolder()
  const found = await gateOver(records.folder)(
    sbomWith([
      { name: 'left-shelf', version: '2.4.0' },
      { name: 'rope-parser', version: '1.9.3' },
      { name: 'rope-parser', version: '1.9.4' },
      { name: 'quiet-logger', version: '1.0.0' },
      { name: 'tidy-date', version: '1.0.0' },
      { name: 'lodahs', version: '1.0.1' },
      { name: 'snake-charmer', version: '1.0rc1', ecosystem: 'pypi' },
      { name: 'snake-charmer', version: '1.0', ecosystem: 'pypi' },
    ]),
  )
  expect(gradesOf(found)).toEqual({
    verdict: 'FAIL',
    found: [
      'CRITICAL vulnerable-component left-shelf@2.4.0: GHSA-test-crit-0001, CVSS 9.8: Deserialization runs what it reads',
      'CRITICAL vulnerable-component rope-parser@1.9.3: GHSA-test-last-0002, CVSS 9.3',
      'CRITICAL vulnerable-component lodahs@1.0.1: MAL-2099-5, a malicious package',
      'HIGH vulnerable-component snake-charmer@1.0rc1: PYSEC-2099-6, by its database',
      'LOW vulnerable-component quiet-logger@1.0.0: GHSA-test-low-0003, by its database',
    ],
  })
  expect(found.evidence.figures).toEqual({ components: 8, records: 6, unreadableRecords: 0 })
})

test('records that come and go count for the next evaluation, what is no record is counted', async () => {
  const gone = { id: 'GHSA-gone', database_specific: { severity: 'HIGH' } }
  const record = { ...gone, affected: [{ package: { ecosystem: 'npm', name: 'a' }, versions: ['1.0.0'] }] }
  await using records = await osvFolder([record])
  const evaluate = gateOver(records.folder)
  const sbom = sbomWith([
    { name: 'a', version: '1.0.0' },
    { name: 'b', version: '1.0.0' },
  ])
  expect((await evaluate(sbom)).verdict).toBe('FAIL')
  await rm(join(records.folder, 'npm/GHSA-gone.json'))
  await writeFile(join(records.folder, 'npm/torn.json'), '{"id": "GHSA-to')
  await writeFile(
    join(records.folder, 'npm/GHSA-new.json'),
    JSON.stringify({
      ...record,
      id: 'GHSA-new',
      affected: [{ ...record.affected[0], package: { ecosystem: 'npm', name: 'b' } }],
    }),
  )
  const { verdict, evidence } = await evaluate(sbom)
  expect({ verdict, figures: evidence.figures }).toEqual({
    verdict: 'FAIL',
    figures: { components: 2, records: 1, unreadableRecords: 1 },
  })
  expect(evidence.findings?.map(({ seen }) => seen)).toEqual(['b@1.0.0: GHSA-new, by its database'])
})

test('records of the same under several names are one finding, as grave as the gravest', async () => {
  const affected = [{ package: { ecosystem: 'npm', name: 'a' }, versions: ['1.0.0'] }]
  await using records = await osvFolder([
    { id: 'CVE-2099-9', affected, database_specific: { severity: 'MODERATE' } } as { id: string },
    { id: 'GHSA-same', aliases: ['CVE-2099-9'], affected, database_specific: { severity: 'HIGH' } } as {
      id: string
    },
  ])
  const found = await gateOver(records.folder)(sbomWith([{ name: 'a', version: '1.0.0' }]))
  expect(gradesOf(found).found).toEqual(['HIGH vulnerable-component a@1.0.0: GHSA-same, by its database'])
})

test('without an SBOM or without records nothing is certified, and it is said what is missing', async () => {
  await using records = await osvFolder()
  const reasonOf = async (osvDir: string | undefined, sbom: unknown) => {
    const { verdict, evidence } = await gateOver(osvDir)(sbom)
    return `${verdict} ${evidence.reason}`
  }
  const sbom = sbomWith([{ name: 'a', version: '1.0.0' }])
  expect(await reasonOf(records.folder, undefined)).toMatch(/^NOT_EVALUATED no SBOM/)
  expect(await reasonOf(undefined, sbom)).toMatch(/^NOT_EVALUATED no OSV records: set OSV_DIR/)
  expect(await reasonOf(join(records.folder, 'nowhere'), sbom)).toMatch(
    /^NOT_EVALUATED the folder OSV_DIR can't be read/,
  )
})

test.each([
  ['SSPL-1.0', 'FAIL'],
  ['MIT OR AGPL-3.0-only', 'PASS'],
  ['MIT AND AGPL-3.0-only', 'FAIL'],
  ['Our own terms', 'PASS'],
])('a component under %s', async (license, verdict) => {
  await using records = await osvFolder()
  const found = await gateOver(records.folder)(sbomWith([{ name: 'a', version: '1.0.0', license }]))
  expect(found.verdict).toBe(verdict)
})

test.each([
  ['another version of CycloneDX', { ...sbomWith([]), specVersion: '1.3' }, 'sbom-not-readable'],
  ['a component without a name', { ...sbomWith([]), components: [{ type: 'library' }] }, 'sbom-not-readable'],
  ['no components', sbomWith([]), 'sbom-empty'],
  ['no document', 'sbom.json', 'sbom-not-readable'],
])('an SBOM of %s fails', async (_, sbom, rule) => {
  const { verdict, evidence } = await gateOver(undefined)(sbom)
  expect([verdict, evidence.findings?.[0]?.rule]).toEqual(['FAIL', rule])
})

test('an SBOM that is elsewhere is the one that was named, or none', async () => {
  await using records = await osvFolder()
  const text = JSON.stringify(sbomWith([{ name: 'left-shelf', version: '2.4.1' }]))
  const server = createServer((_, response) => response.end(text))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sbom.json`
  const sha256 = createHash('sha256').update(text).digest('hex')
  const evaluate = gateOver(records.folder)
  const named = await evaluate({ url, sha256 })
  const other = await evaluate({ url, sha256: sha256.replaceAll(/./g, '0') })
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  expect([named.verdict, other.verdict]).toEqual(['PASS', 'FAIL'])
})
