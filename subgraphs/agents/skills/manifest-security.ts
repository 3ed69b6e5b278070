import { z } from 'zod'
import {
  type ExaminedManifest,
  examinedInput,
  type JsonSchema,
  manifestOf,
  schemaNodes,
  typesOf,
} from './examined-manifest.ts'
import { skill } from './skill.ts'

const severities = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const
type Severity = (typeof severities)[number]
type Rule = { severity: Severity; threat: string; advice: string }
type Hit = { rule: keyof typeof rules; path: string }

/** Each with the threat it opens the door to, as numbered by OWASP's Agentic AI threats and mitigations (2025). */
const rules = {
  'embedded-secret': { severity: 'CRITICAL', threat: 'T3', advice: 'revoke it and take it out' },
  'hidden-text': { severity: 'CRITICAL', threat: 'T6', advice: 'remove the characters nobody can see' },
  'injected-instruction': { severity: 'HIGH', threat: 'T6', advice: 'describe the agent, instruct nobody' },
  'asks-for-credentials': {
    severity: 'HIGH',
    threat: 'T3',
    advice: 'take a token by the protocol, not as input',
  },
  'runs-what-it-is-given': { severity: 'HIGH', threat: 'T11', advice: 'take one of a fixed list instead' },
  'free-address': { severity: 'MEDIUM', threat: 'T2', advice: 'allow only known hosts or folders' },
  'plain-http': { severity: 'HIGH', threat: 'T12', advice: 'serve it over https' },
  'open-object': { severity: 'MEDIUM', threat: 'T2', advice: 'set additionalProperties to false' },
  'any-value': { severity: 'MEDIUM', threat: 'T2', advice: 'say which type is meant' },
  'unbounded-text': { severity: 'MEDIUM', threat: 'T4', advice: 'set maxLength' },
  'unbounded-list': { severity: 'MEDIUM', threat: 'T4', advice: 'set maxItems' },
  'no-token-budget': { severity: 'LOW', threat: 'T4', advice: 'declare budgets.tokensPerCall' },
} as const satisfies Record<string, Rule>

/** Secrets by the forms their issuers give them; each anchored at a fixed prefix. */
const secrets = [
  /\bAKIA[0-9A-Z]{16}\b/,
  /\bgh[pousr]_[A-Za-z0-9]{36}/,
  /\bsk-[A-Za-z0-9_-]{20,200}/,
  /\bxox[abpr]-[A-Za-z0-9-]{10,100}/,
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/,
  /\beyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{10,2000}\./,
]
const instructions = [
  /\b(ignore|disregard|forget) (all |any |the |your ){0,3}(previous|prior|above|earlier|other) (instruction|prompt|rule|tool)/i,
  /\b(do not|don't|never) (tell|inform|mention|reveal|show)( this| it)?( to)? (the |your )?(user|human|operator)/i,
  /\b(before|instead of) (using|calling) (any|every|all) other (tool|agent)/i,
  /\byou (must|have to) always (call|use|prefer|choose) (this|me)\b/i,
  /<(important|system|secret|instructions?)>/i,
  /\b(reveal|print|send|repeat) (me )?(your|the) (system prompt|instructions|context)/i,
]
// Zero-width, bidirectional overrides and Unicode tags: read by models, not by people.
const invisible = /[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/u

/** What in a manifest would let an agent be misused or mislead others, by rules, each with its place. */
export const manifestSecurity = skill({
  name: 'manifest-security',
  configuration: z.strictObject({
    /** A finding of this severity or more fails the audit. */
    failAt: z.enum(severities),
    first: z.int().min(1).max(50),
  }),
  input: examinedInput,
  output: z.strictObject({
    agent: z.string().describe("The manifest's name"),
    verdict: z.enum(['PASS', 'FAIL']).describe('Of the audit'),
    findings: z
      .array(
        z.strictObject({
          rule: z.string().describe('What was found'),
          severity: z.enum(severities).describe('How bad it is'),
          threat: z.string().describe("Number in OWASP's list of agentic threats"),
          path: z.string().describe('Where it stands'),
          advice: z.string().describe('What to do'),
        }),
      )
      .describe('The gravest first'),
    found: z.int().describe('How many there are in all'),
  }),
  async run(input, { failAt, first }, context) {
    const manifest = await manifestOf(input, context)
    const hits = [...textHits(manifest), ...schemaHits(manifest), ...declarationHits(manifest)]
    const findings = hits
      .map(({ rule, path }) => ({ rule, ...rules[rule], path: path.slice(0, 200) }))
      .toSorted((a, b) => severities.indexOf(b.severity) - severities.indexOf(a.severity))
    const grave = findings.some(({ severity }) => severities.indexOf(severity) >= severities.indexOf(failAt))
    return {
      agent: manifest.metadata.name,
      verdict: grave ? ('FAIL' as const) : ('PASS' as const),
      findings: findings.slice(0, first),
      found: findings.length,
    }
  },
})

function textHits(manifest: ExaminedManifest): Hit[] {
  return textsOf(manifest).flatMap(({ path, text }) => {
    const hits: Hit[] = []
    if (secrets.some((secret) => secret.test(text))) hits.push({ rule: 'embedded-secret', path })
    // An example's input is a request, which an agent that looks for such things may well show.
    if (/\/examples\/\d+\/input\b/.test(path)) return hits
    if (invisible.test(text)) hits.push({ rule: 'hidden-text', path })
    if (instructions.some((phrase) => phrase.test(text))) hits.push({ rule: 'injected-instruction', path })
    return hits
  })
}

function schemaHits({ spec }: ExaminedManifest): Hit[] {
  return spec.capabilities.flatMap(({ name, input }) =>
    schemaNodes(input ?? {}, `/${name}/input`).flatMap(({ path, node }) =>
      rulesBroken(node, path).map((rule) => ({ rule, path })),
    ),
  )
}

function rulesBroken(node: JsonSchema, path: string): Hit['rule'][] {
  const property = path.match(/\/properties\/([^/]+)$/)?.[1] ?? ''
  // A branch adds to what the schema around it says already.
  const branch = /\/((anyOf|oneOf|allOf)\/\d+|not)$/.test(path)
  if (node.enum !== undefined || node.const !== undefined) return []
  const types = typesOf(node)
  const broken: Hit['rule'][] = []
  if (
    types.length === 0 &&
    !branch &&
    !['$ref', 'anyOf', 'oneOf', 'allOf'].some((keyword) => keyword in node)
  )
    broken.push('any-value')
  if (types.includes('object') && (node.additionalProperties ?? true) === true) broken.push('open-object')
  if (types.includes('array') && node.maxItems === undefined) broken.push('unbounded-list')
  if (!types.includes('string')) return broken
  if (node.maxLength === undefined && node.format === undefined) broken.push('unbounded-text')
  if (/^(password|passphrase|secret|api-?key|access-?token|private-?key|credentials?)$/i.test(property))
    broken.push('asks-for-credentials')
  if (node.pattern !== undefined) return broken
  if (/^(command|cmd|shell|script|code|sql|eval|expression)$/i.test(property))
    broken.push('runs-what-it-is-given')
  if (/^(url|uri|host|endpoint|callback|webhook|path|file-?name|directory)$/i.test(property))
    broken.push('free-address')
  return broken
}

function declarationHits({ spec: { endpoint, budgets } }: ExaminedManifest): Hit[] {
  const hits: Hit[] = []
  const loopback = /^http:\/\/(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?(\/|$)/i
  if (endpoint !== undefined && !/^https:/i.test(endpoint) && !loopback.test(endpoint))
    hits.push({ rule: 'plain-http', path: '/spec/endpoint' })
  if (budgets?.tokensPerCall === undefined) hits.push({ rule: 'no-token-budget', path: '/spec/budgets' })
  return hits
}

const maxTexts = 20_000

/** Every text of the document, names of properties too. */
function textsOf(root: unknown): { path: string; text: string }[] {
  const found: { path: string; text: string }[] = []
  const waiting: { path: string; value: unknown }[] = [{ path: '', value: root }]
  for (const { path, value } of waiting) {
    if (found.length > maxTexts) throw new Error(`the manifest has more than ${maxTexts} texts`)
    if (typeof value === 'string') found.push({ path, text: value })
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) {
        found.push({ path: `${path}/${key}`, text: key })
        waiting.push({ path: `${path}/${key}`, value: inner })
      }
  }
  return found
}
