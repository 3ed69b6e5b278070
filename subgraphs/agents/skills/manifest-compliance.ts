import { parse } from 'semver'
import { z } from 'zod'
import { type ExaminedManifest, examinedInput, manifestOf, schemaNodes } from './examined-manifest.ts'
import { skill } from './skill.ts'

const articleNames = [
  'owner',
  'version',
  'licence',
  'personal-data',
  'scopes',
  'budget',
  'dependencies',
  'oversight',
] as const
const verdictSchema = z.enum(['PASS', 'FAIL', 'NOT_APPLICABLE'])
type Finding = { verdict: z.output<typeof verdictSchema>; seen: string }

const configurationSchema = z.strictObject({
  required: z.array(z.enum(articleNames)).min(1).max(8),
  advisory: z.array(z.enum(articleNames)).max(8),
  /** SPDX identifiers. */
  licences: z.array(z.string().max(60)).min(1).max(50),
  maxRetentionDays: z.int().min(0).max(3650),
  maxTokensPerCall: z.int().min(1).max(1_000_000),
})
type Rules = z.output<typeof configurationSchema>

/** A manifest held against a checklist of what the community demands of its members. */
export const manifestCompliance = skill({
  name: 'manifest-compliance',
  configuration: configurationSchema,
  input: examinedInput,
  output: z.strictObject({
    agent: z.string().describe("The manifest's name"),
    compliant: z.boolean().describe('Nothing that is required fails'),
    checks: z
      .array(
        z.strictObject({
          article: z.string().describe('What is demanded'),
          required: z.boolean().describe('False where it is only advised'),
          verdict: verdictSchema.describe('Of this article'),
          seen: z.string().describe('What the manifest says'),
        }),
      )
      .describe('The required ones first'),
  }),
  async run(input, configuration, context) {
    const manifest = await manifestOf(input, context)
    const { required, advisory } = configuration
    const checks = [...new Set([...required, ...advisory])].map((article) => ({
      article,
      required: required.includes(article),
      ...articles[article](manifest, configuration),
    }))
    return {
      agent: manifest.metadata.name,
      compliant: checks.every((check) => !check.required || check.verdict !== 'FAIL'),
      checks,
    }
  },
})

const judged = (holds: boolean, seen: string): Finding => ({
  verdict: holds ? 'PASS' : 'FAIL',
  seen: seen.slice(0, 200),
})

const articles: Record<(typeof articleNames)[number], (m: ExaminedManifest, rules: Rules) => Finding> = {
  owner: ({ metadata: { namespace = '' } }) => judged(namespace.trim() !== '', namespace || 'no namespace'),

  /** What everybody may use is a release: no 0.x and no prerelease. */
  version({ metadata: { version = '' }, spec }) {
    const read = parse(version)
    if (!read) return judged(false, version === '' ? 'no version' : `${version} is no semantic version`)
    const released = read.major > 0 && read.prerelease.length === 0
    return judged(
      released || spec.visibility !== 'PUBLIC',
      `${version}, ${spec.visibility ?? 'ORGANIZATION'}`,
    )
  },

  /** Of `A OR B` one must be allowed, of `A AND B` both; parentheses are not read. */
  licence({ metadata: { license = '' } }, { licences }) {
    const choices = license.split(' OR ').map((choice) => choice.split(' AND ').map((id) => id.trim()))
    return judged(
      choices.some((ids) => ids.every((id) => licences.includes(id))),
      license || 'no licence',
    )
  },

  'personal-data'({ spec }, { maxRetentionDays }) {
    const taken = spec.capabilities.flatMap(({ name, input }) =>
      schemaNodes(input, `/${name}`).filter(({ path }) => personal.test(path.split('/').at(-1) ?? '')),
    )
    const [first] = taken
    if (!first) return { verdict: 'NOT_APPLICABLE', seen: 'no request takes personal data' }
    const declared = dataHandling.safeParse(spec.dataHandling)
    if (!declared.success)
      return judged(false, `${first.path} is personal; dataHandling {purpose, retentionDays} is not declared`)
    const { purpose, retentionDays } = declared.data
    return judged(
      purpose.trim() !== '' && retentionDays <= maxRetentionDays,
      `kept ${retentionDays} days, at most ${maxRetentionDays} allowed`,
    )
  },

  /** Least privilege: what it may do in the graph is listed one by one. */
  scopes({ spec }) {
    const scopes = z.array(z.string().max(100)).max(50).safeParse(spec.scopes)
    if (spec.scopes === undefined) return { verdict: 'NOT_APPLICABLE', seen: 'asks for no scopes' }
    if (!scopes.success) return judged(false, 'scopes are not a list of words')
    const wide = scopes.data.filter((scope) => scope.includes('*') || /:(admin|all)$/.test(scope))
    return judged(
      wide.length === 0,
      wide.length > 0 ? `${wide.join(', ')} is too wide` : scopes.data.join(', '),
    )
  },

  budget({ spec: { budgets } }, { maxTokensPerCall }) {
    const tokens = budgets?.tokensPerCall
    return judged(
      tokens !== undefined && tokens <= maxTokensPerCall,
      `${tokens ?? 'no'} tokens per call, at most ${maxTokensPerCall}`,
    )
  },

  dependencies({ spec: { dependencies = [] } }) {
    const loose = dependencies.filter((one) => !/@\d+\.\d+\.\d+/.test(one))
    if (dependencies.length === 0) return { verdict: 'NOT_APPLICABLE', seen: 'depends on nothing' }
    return judged(loose.length === 0, loose.length > 0 ? `${loose[0]} has no version` : 'all have versions')
  },

  /** Who steers or limits others says in whose name. */
  oversight({ spec: { type = '', role = '' } }) {
    if (!['orchestrator', 'governor', 'judge'].includes(type))
      return { verdict: 'NOT_APPLICABLE', seen: `a ${type || 'typeless'} agent decides over nobody` }
    return judged(role.trim().length >= 20, role === '' ? 'no role' : 'has a role')
  },
}

const personal =
  /^(e-?mail|phone|mobile|birth-?(date|day)|dateOfBirth|ssn|passport|iban|home-?address|firstName|lastName|fullName|health|religion)$/i
const dataHandling = z.looseObject({
  purpose: z.string().max(500),
  retentionDays: z.number().min(0),
})
