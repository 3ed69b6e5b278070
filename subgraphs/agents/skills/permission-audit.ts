import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const scopeSchema = z
  .string()
  .max(120)
  .regex(/^[a-z0-9*][a-z0-9_.*-]*(?::[a-z0-9_.*-]+){0,3}$/)
const severitySchema = z.enum(['HIGH', 'MEDIUM', 'LOW'])

/** Least privilege: what is granted against what exists and what was used, and the grants that would do. */
export const permissionAudit = skill({
  name: 'permission-audit',
  configuration: z.strictObject({
    /** Not used for so long counts as not used. */
    unusedDays: z.int().min(1).max(3650),
    /** Powers that nobody should hold together (separation of duties). */
    conflicts: z
      .array(
        z.strictObject({ scopes: z.array(scopeSchema).min(2).max(5), reason: z.string().min(1).max(200) }),
      )
      .max(30),
    /** Each is worth a finding wherever it is held. */
    sensitive: z.array(scopeSchema).max(50),
  }),
  input: z.strictObject({
    asOf: z.iso.datetime().optional().describe('When the access log was read; now unless told'),
    available: z.array(scopeSchema).min(1).max(300).describe('Every scope that exists, as agents:write'),
    principals: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(120).describe('Agent or person'),
          granted: z.array(scopeSchema).max(50).describe('Scopes; * stands for any part'),
          used: z
            .array(
              z.strictObject({
                scope: scopeSchema.describe('Without *'),
                lastUsedAt: z.iso.datetime().describe('When last'),
              }),
            )
            .max(300)
            .describe('From the access log'),
        }),
      )
      .min(1)
      .max(50)
      .describe('Who holds what'),
  }),
  output: z.strictObject({
    principals: z
      .array(
        z.strictObject({
          name: z.string().describe('As given'),
          findings: z
            .array(
              z.strictObject({
                severity: severitySchema.describe('How pressing'),
                scope: z.string().describe('What it is about'),
                problem: z.string().describe('In words'),
              }),
            )
            .describe('Most pressing first'),
          sufficient: z.array(z.string()).describe('The grants that its use needs'),
          excessPercent: z.number().describe('Share of the powers it holds that it has no use for'),
        }),
      )
      .describe('Most excess first'),
  }),
  run({ asOf, available, principals }, { unusedDays, conflicts, sensitive }, context) {
    const read = asOf === undefined ? context.now().getTime() : Date.parse(asOf)
    const since = read - unusedDays * 86_400_000
    const answers = principals.map(({ name, granted, used }) => {
      const recent = new Set(
        used.filter(({ lastUsedAt }) => Date.parse(lastUsedAt) >= since).map(({ scope }) => scope),
      )
      const held = available.filter((scope) => granted.some((grant) => covers(grant, scope)))
      const needed = held.filter((scope) => recent.has(scope))
      const findings: z.input<typeof findingSchema>[] = []
      const say = (severity: z.output<typeof severitySchema>, scope: string, problem: string) =>
        findings.push({ severity, scope, problem })
      for (const { scopes, reason } of conflicts)
        if (scopes.every((scope) => held.some((one) => covers(scope, one))))
          say('HIGH', scopes.join(' + '), reason)
      for (const scope of recent)
        if (!granted.some((grant) => covers(grant, scope))) say('HIGH', scope, 'was used without a grant')
      for (const grant of new Set(granted)) {
        const reached = available.filter((scope) => covers(grant, scope))
        const idle = reached.filter((scope) => !recent.has(scope))
        if (reached.length === 0) say('LOW', grant, 'reaches no scope that exists')
        else if (grant.includes('*') && idle.length > 0)
          say(
            grant === '*' || grant === '*:*' ? 'HIGH' : 'MEDIUM',
            grant,
            `reaches ${reached.length} scopes, ${reached.length - idle.length} are used`,
          )
        else if (idle.length > 0) say('LOW', grant, `not used in ${unusedDays} days`)
        if (granted.some((other) => other !== grant && covers(other, grant) && !covers(grant, other)))
          say('LOW', grant, 'is part of another grant')
      }
      for (const scope of sensitive.filter((one) => held.some((other) => covers(one, other))))
        say('MEDIUM', scope, 'is a sensitive power; confirm that it is wanted')
      return {
        name,
        findings: findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity)),
        sufficient: needed.toSorted(),
        excessPercent:
          held.length === 0 ? 0 : rounded((100 * (held.length - needed.length)) / held.length, 1),
      }
    })
    return {
      principals: answers.toSorted((a, b) => b.excessPercent - a.excessPercent || (a.name < b.name ? -1 : 1)),
    }
  },
})

const findingSchema = z.strictObject({ severity: severitySchema, scope: z.string(), problem: z.string() })
const order = severitySchema.options

/** Part by part; a * at the end stands for all that follow. */
function covers(grant: string, scope: string): boolean {
  const [given, asked] = [grant.split(':'), scope.split(':')]
  if (given.length < asked.length && given.at(-1) !== '*') return false
  if (given.length > asked.length) return false
  return given.every((part, index) => part === '*' || part === asked[index])
}
