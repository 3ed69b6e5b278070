import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Records of OSV, made up, one of each kind that is matched. */
const osvRecords: readonly (Record<string, unknown> & { id: string })[] = [
  {
    id: 'GHSA-test-crit-0001',
    aliases: ['CVE-2099-0001'],
    summary: 'Deserialization runs what it reads',
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
    affected: [ofNpm('left-shelf', [{ introduced: '0' }, { fixed: '2.4.1' }])],
  },
  {
    id: 'GHSA-test-last-0002',
    severity: [
      {
        type: 'CVSS_V4',
        score: 'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N',
      },
    ],
    affected: [ofNpm('rope-parser', [{ introduced: '1.0.0' }, { last_affected: '1.9.3' }])],
  },
  {
    id: 'GHSA-test-low-0003',
    database_specific: { severity: 'LOW' },
    affected: [ofNpm('quiet-logger', [{ introduced: '0' }])],
  },
  {
    id: 'GHSA-test-gone-0004',
    withdrawn: '2026-01-01T00:00:00Z',
    database_specific: { severity: 'CRITICAL' },
    affected: [ofNpm('tidy-date', [{ introduced: '0' }])],
  },
  {
    id: 'MAL-2099-5',
    affected: [{ package: { ecosystem: 'npm', name: 'lodahs' }, versions: ['1.0.0', '1.0.1'] }],
  },
  {
    id: 'PYSEC-2099-6',
    database_specific: { severity: 'HIGH' },
    affected: [
      {
        package: { ecosystem: 'PyPI', name: 'Snake_Charmer' },
        ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1.0rc2' }] }],
      },
    ],
  },
]

function ofNpm(name: string, events: Record<string, string>[]) {
  return { package: { ecosystem: 'npm', name }, ranges: [{ type: 'SEMVER', events }] }
}

/** A folder of them, as an operator mounts it. */
export async function osvFolder(records: readonly { id: string }[] = osvRecords) {
  const folder = await mkdtemp(join(tmpdir(), 'osv-'))
  await mkdir(join(folder, 'npm'))
  for (const record of records)
    await writeFile(join(folder, 'npm', `${record.id}.json`), JSON.stringify(record))
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}
