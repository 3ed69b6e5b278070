import cvss from 'ae-cvss-calculator'
import { z } from 'zod'
import type { Severity } from '../weakness.ts'
import type { Affected, OsvRecord } from './osv-record.ts'

/** How bad a record is and why: by its CVSS vectors, the worst of them, else as its database says. */
export function severityOf(
  { id, severity, database_specific: own }: OsvRecord,
  affected: Affected,
): [Severity, string] {
  // OpenSSF's list of packages that were made to harm; they have no vectors.
  if (id.startsWith('MAL-')) return ['CRITICAL', 'a malicious package']
  const vectors = [...(affected.severity ?? []), ...(severity ?? [])]
  const scores = vectors.flatMap(({ type, score }) =>
    type.startsWith('CVSS_') ? (scoreOf(score) ?? []) : [],
  )
  const worst = Math.max(...scores)
  if (scores.length > 0) return [graded(worst), `CVSS ${worst}`]
  const named = [affected.database_specific?.severity, own?.severity].map(
    (each) => rating.safeParse(each).data,
  )
  const [first] = named.filter((each) => each !== undefined)
  return first === undefined ? ['MEDIUM', 'of no severity that is known'] : [first, 'by its database']
}

function scoreOf(vector: string): number | null {
  const { overall } = cvss.fromVector(vector)?.calculateScores() ?? {}
  return overall === undefined || Number.isNaN(overall) ? null : overall
}

/** As CVSS 3.1 and 4.0 name scores. */
const graded = (score: number): Severity =>
  score >= 9 ? 'CRITICAL' : score >= 7 ? 'HIGH' : score >= 4 ? 'MEDIUM' : 'LOW'

const rating = z
  .string()
  .transform((word) => word.toUpperCase().replace('MODERATE', 'MEDIUM'))
  .pipe(z.enum(['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']))
