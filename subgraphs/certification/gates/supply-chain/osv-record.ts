import { z } from 'zod'

const severity = z.array(z.object({ type: z.string(), score: z.string() }))
const event = z.object({
  introduced: z.string().optional(),
  fixed: z.string().optional(),
  last_affected: z.string().optional(),
  limit: z.string().optional(),
})
const range = z.object({ type: z.enum(['SEMVER', 'ECOSYSTEM', 'GIT']), events: z.array(event) })
const rated = z.object({ severity: z.unknown() })

/** OSV schema 1.x, as far as it is matched by: https://ossf.github.io/osv-schema. */
export const osvRecord = z.object({
  id: z.string().min(1).max(200),
  aliases: z.array(z.string()).nullish(),
  withdrawn: z.string().nullish(),
  summary: z.string().nullish(),
  severity: severity.nullish(),
  database_specific: rated.nullish(),
  affected: z
    .array(
      z.object({
        package: z.object({ ecosystem: z.string(), name: z.string() }).nullish(),
        ranges: z.array(range).nullish(),
        versions: z.array(z.string()).nullish(),
        severity: severity.nullish(),
        database_specific: rated.nullish(),
      }),
    )
    .nullish(),
})

export type OsvRecord = z.output<typeof osvRecord>
export type Affected = NonNullable<OsvRecord['affected']>[number]
