import { z } from 'zod'

const levels = ['BRONZE', 'SILVER', 'GOLD'] as const

/**
 * Each field that is given must fit; of a field's values one is enough. What is not known of an agent fits nothing. A field
 * of a later release is kept: a rule that is understood in part must not allow more than it says.
 */
const rule = z.looseObject({
  /** In capitals, as `WORKER`. */
  types: z.array(z.string()).nullish(),
  /** SPDX expressions, as the manifest has them; in capitals or small letters, which SPDX does not tell apart. */
  licenses: z.array(z.string()).nullish(),
  /** Ids of organizations. */
  publishers: z.array(z.string()).nullish(),
  /** As the manifest's label `region` has them. */
  regions: z.array(z.string()).nullish(),
})

/** What an organization lets be installed and called in its name. Its own agents are bound by the limits alone. */
export const catalogPolicy = z.object({
  /** Where there are any, one must fit. */
  allow: z.array(rule),
  /** None may fit. */
  deny: z.array(rule),
  /** Of a certificate in force. */
  minimumLevel: z.enum(levels).nullable(),
  /** Agents of others are called only while they are installed. */
  installedOnly: z.boolean(),
  /** An installation waits for an administrator. */
  approval: z.boolean(),
  /** In the organization's name, of all agents together, within a day (UTC). */
  callsPerDay: z.number().int().nullable(),
  /** Sent and received, within a day (UTC). */
  tokensPerDay: z.number().int().nullable(),
})

type Rule = z.output<typeof rule>
export type CatalogPolicy = z.output<typeof catalogPolicy>

/** What a policy asks of an agent. */
export type PolicyFacts = {
  type: string
  license: string | null
  publisher: string
  region: string | null
  /** The highest that is in force. */
  level: (typeof levels)[number] | null
}

/** Why a policy does not let an agent of another organization be used, or null. */
export function policyRefusal(policy: CatalogPolicy, facts: PolicyFacts): string | null {
  const denied = policy.deny.find((each) => fits(each, facts))
  if (denied) return `its policy denies ${toldOf(denied)}`
  if (policy.allow.length > 0 && !policy.allow.some((each) => isUnderstood(each) && fits(each, facts)))
    return `its policy allows only ${policy.allow.map(toldOf).join('; or ')}`
  if (rank(facts.level) < rank(policy.minimumLevel))
    return `its policy wants a certificate of ${policy.minimumLevel} or better, it has ${facts.level ?? 'none'}`
  return null
}

const fields = [
  ['types', 'type'],
  ['licenses', 'license'],
  ['publishers', 'publisher'],
  ['regions', 'region'],
] as const

/** A rule that says nothing fits nothing. What is not understood of one is passed over. */
const fits = (wanted: Rule, facts: PolicyFacts): boolean =>
  saidIn(wanted).length > 0 &&
  fields.every(([many, one]) => {
    const values = wanted[many]
    const value = facts[one]
    if (values == null) return true
    if (value === null) return false
    return many === 'licenses' ? values.some((each) => isSameLicense(each, value)) : values.includes(value)
  })

/** Objects in events tell their type too. */
const saidIn = (wanted: Rule): string[] =>
  Object.keys(wanted).filter((field) => field !== '__typename' && wanted[field] != null)

const isUnderstood = (wanted: Rule): boolean =>
  saidIn(wanted).every((field) => fields.some(([many]) => many === field))

const isSameLicense = (one: string, other: string) => one.toLowerCase() === other.toLowerCase()

const toldOf = (wanted: Rule): string => {
  const understood = fields.flatMap(([many, one]) =>
    wanted[many] == null ? [] : [`${one} ${wanted[many].join(' or ')}`],
  )
  if (!isUnderstood(wanted)) understood.push('what this release does not know')
  return understood.join(' and ') || 'nothing'
}

const rank = (level: PolicyFacts['level']): number => (level === null ? -1 : levels.indexOf(level))
