import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readSource, refusal } from '../orchestrate/source.ts'
import type { IncidentSymptom } from '../schema.generated.ts'
import { objectiveNames } from './objectives.ts'

const actionNames = [
  'await-restart',
  'reschedule',
  'restart-agent',
  'roll-back',
  'open-breaker',
  'quarantine',
  'quarantine-message',
  'hold-run',
  'recertify',
] as const
export type ActionName = (typeof actionNames)[number]

const symptoms = [
  'HEARTBEAT_MISSING',
  'PROBE_FAILED',
  'ERROR_RATE',
  'LATENCY',
  'BUDGET_BURN',
  'POISON_MESSAGE',
  'CERTIFICATE_EXPIRY',
  'CERTIFICATE_REVOKED',
  'POOL_UNREACHABLE',
  'EVENTS_STALLED',
  'RECORDS_UNREADABLE',
  'DATABASE_BLOCKED',
] as const satisfies IncidentSymptom[]

const seconds = z.number().int().min(1).max(86_400)
const policy = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and hyphens'),
  symptom: z.enum(symptoms),
  /** Where the agent concerned has to run. */
  agents: z.enum(['POOL', 'REMOTE']).optional(),
  /** Labels that the manifest of the agent concerned has to have. */
  labels: z.record(z.string(), z.string()).optional(),
  /** Since the version of the agent concerned that runs has replaced another. */
  newVersionWithinSeconds: seconds.optional(),
  objective: z.enum(objectiveNames),
  holdsForSeconds: seconds,
  withinSeconds: seconds,
  actions: z
    .array(z.strictObject({ action: z.enum(actionNames), withinSeconds: seconds }))
    .min(1)
    .max(20),
})
export type Policy = z.output<typeof policy>

const file = z.strictObject({ policies: z.array(policy).max(200) })

/** Throws a ClientError that tells all that is wrong, a line of text each: `FILE:LINE: PATH: what was expected`. */
export function readPolicies(text: string, name: string): Policy[] {
  const source = readSource(text, name, 'source')
  const parsed = file.safeParse(source.value)
  if (!parsed.success)
    throw refusal(
      source,
      parsed.error.issues.map(({ path, message }) => ({ path: path.map(String), expected: message })),
    )
  const { policies } = parsed.data
  const names = policies.map((each) => each.name)
  const twice = names.flatMap((each, index) =>
    names.indexOf(each) === index
      ? []
      : [
          {
            path: ['policies', String(index), 'name'],
            expected: `${each} is there already: a name of its own`,
          },
        ],
  )
  if (twice.length > 0) throw refusal(source, twice)
  return policies
}

/** Of the setting `INCIDENT_POLICIES`: a file, `off`, or ours where it is not given. Null: nothing is done. Throws what is wrong with it. */
export async function policiesOf(setting: string | undefined): Promise<readonly Policy[] | null> {
  if (setting === 'off') return null
  const path = setting ?? join(import.meta.dirname, 'policies.yaml')
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`INCIDENT_POLICIES: expected a file or \`off\`, ${path} can't be read`, { cause: error })
  })
  return readPolicies(text, path)
}

/** What policies ask of the thing concerned. */
export type Concerned = {
  runs: 'POOL' | 'REMOTE' | null
  labels: Readonly<Record<string, string>>
  /** For how long the version that runs has been there in another one's place; null of one that is in nobody's. */
  newVersionForMs: number | null
}

export const policyFor = (
  policies: readonly Policy[],
  symptom: IncidentSymptom,
  { runs, labels, newVersionForMs }: Concerned,
): Policy | null =>
  policies.find(
    (each) =>
      each.symptom === symptom &&
      (each.agents === undefined || each.agents === runs) &&
      (each.newVersionWithinSeconds === undefined ||
        (newVersionForMs ?? Infinity) <= 1_000 * each.newVersionWithinSeconds) &&
      Object.entries(each.labels ?? {}).every(([name, value]) => labels[name] === value),
  ) ?? null
