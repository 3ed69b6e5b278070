import parse from 'spdx-expression-parse'
import { z } from 'zod'
import { skill } from './skill.ts'

type Expression = ReturnType<typeof parse>
type Leaf = Extract<Expression, { license: string }>
type Category = z.output<typeof categorySchema>
type Standing = z.output<typeof standingSchema>

const categorySchema = z.enum([
  'public-domain',
  'permissive',
  'weak-copyleft',
  'strong-copyleft',
  'network-copyleft',
  'restricted',
])
const standingSchema = z.enum(['ALLOWED', 'DENIED', 'UNKNOWN'])

/** Families by SPDX identifier; what stands in none is not judged. */
const families: Record<Category, RegExp> = {
  'public-domain': /^(?:0BSD|CC0-1\.0|Unlicense|MIT-0|BlueOak-1\.0\.0|WTFPL)$/,
  permissive:
    /^(?:MIT|Apache-(?:1\.1|2\.0)|BSD-(?:2|3|4)-Clause(?:-Patent|-Clear)?|ISC|Zlib|BSL-1\.0|PostgreSQL|Python-2\.0|PSF-2\.0|Unicode-(?:3\.0|DFS-2016)|CC-BY-[34]\.0|X11|NCSA|Artistic-2\.0|AFL-3\.0|UPL-1\.0|OpenSSL|curl)$/,
  'weak-copyleft':
    /^(?:LGPL-(?:2\.0|2\.1|3\.0)(?:-only|-or-later)?|MPL-(?:1\.1|2\.0)|EPL-[12]\.0|CDDL-1\.[01]|CPL-1\.0|MS-RL)$/,
  'strong-copyleft':
    /^(?:GPL-(?:1\.0|2\.0|3\.0)(?:-only|-or-later)?|CC-BY-SA-[34]\.0|EUPL-1\.[12]|Sleepycat)$/,
  'network-copyleft': /^(?:AGPL-(?:1\.0|3\.0)(?:-only|-or-later)?|OSL-3\.0|RPL-1\.[15])$/,
  restricted:
    /^(?:SSPL-1\.0|BUSL-1\.1|Elastic-2\.0|CC-BY-NC(?:-SA|-ND)?-[34]\.0|CC-BY-ND-[34]\.0|JSON|Aladdin)$/,
}
/** They let the work that links stay under terms of its own. */
const linkingExceptions =
  /^(?:Classpath-exception-2\.0|GCC-exception-[23]\.\d|LLVM-exception|Linux-syscall-note|OpenJDK-assembly-exception-1\.0|Bison-exception-2\.2|Autoconf-exception-[23]\.0)$/

/** Pairs whose terms can't both be kept in one work, as the FSF's licence list and the licences' own stewards have it. */
const conflictsOf: readonly [RegExp, RegExp, string][] = [
  [/^Apache-2\.0$/, /^GPL-2\.0(-only)?$/, 'the patent clause is a further restriction to GPL version 2'],
  [/^GPL-2\.0(-only)?$/, /^(?:L?GPL|AGPL)-3\.0/, 'version 2 only and version 3 demand different terms'],
  [
    /^(?:CDDL-1\.|EPL-1\.0|MPL-1\.1|CPL-1\.0|BSD-4-Clause$|OpenSSL$)/,
    /^A?GPL-/,
    'its terms are further restrictions to the GPL',
  ],
]

/** By how the work is used: what is owed for a family of licences. */
const owed: Record<'distribute' | 'host', Record<Category, string[]>> = {
  distribute: {
    'public-domain': [],
    permissive: ['ship the copyright notice and the licence text'],
    'weak-copyleft': [
      'ship the notices and the licence text',
      'offer the source of the component and of changes to it',
    ],
    'strong-copyleft': [
      'ship the notices and the licence text',
      'offer the source of the whole work under this licence',
    ],
    'network-copyleft': [
      'ship the notices and the licence text',
      'offer the source of the whole work, also to those who use it over a network',
    ],
    restricted: ['obtain permission for this use'],
  },
  host: {
    'public-domain': [],
    permissive: [],
    'weak-copyleft': [],
    'strong-copyleft': [],
    'network-copyleft': ['offer the source of the whole work to those who use it over a network'],
    restricted: ['obtain permission for this use'],
  },
}

/** Judges SPDX licence expressions by a policy: OR is the user's choice, AND binds to all, what is unknown stays so. */
export const licenceCompatibility = skill({
  name: 'licence-compatibility',
  configuration: z.strictObject({
    /** distribute: copies are given away. host: the work only runs as a service. */
    use: z.enum(['distribute', 'host']),
    allowed: z.array(categorySchema).max(6),
    /** SPDX identifiers that the policy decides on their own. */
    exceptions: z.record(z.string().max(80), z.enum(['ALLOWED', 'DENIED'])),
  }),
  input: z.strictObject({
    components: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(200).describe('Package, model or data set'),
          licence: z.string().max(300).describe('SPDX expression, as (MIT OR GPL-2.0-only)'),
        }),
      )
      .min(1)
      .max(200)
      .describe('What the work is made of'),
  }),
  output: z.strictObject({
    verdict: standingSchema.describe('Of the whole: the worst of its parts'),
    components: z
      .array(
        z.strictObject({
          name: z.string().describe('As given'),
          verdict: standingSchema.describe('By the policy'),
          licences: z.array(z.string()).describe('What applies, after choosing'),
          obligations: z.array(z.string()).describe('What is owed for it'),
          reason: z.string().describe('In words'),
        }),
      )
      .describe('As given'),
    conflicts: z
      .array(
        z.strictObject({
          between: z.array(z.string()).describe('Two components'),
          reason: z.string().describe('Why both can’t be in one distributed work'),
        }),
      )
      .describe('At most 50'),
  }),
  run({ components }, { use, allowed, exceptions }) {
    const judgeLeaf = (leaf: Leaf) => judged(leaf, use, allowed, exceptions)
    const answers = components.map(({ name, licence }) => ({ name, ...judgement(licence, judgeLeaf) }))
    const conflicts = use === 'distribute' ? conflictsAmong(answers) : []
    return {
      verdict: conflicts.length > 0 ? 'DENIED' : worst(answers.map(({ verdict }) => verdict)),
      components: answers,
      conflicts,
    }
  },
})

type Judgement = { verdict: Standing; licences: string[]; obligations: string[]; reason: string }

function judgement(licence: string, judgeLeaf: (leaf: Leaf) => Judgement): Judgement {
  const none = { verdict: 'UNKNOWN' as const, licences: [], obligations: [] }
  if (/^\s*(?:NOASSERTION|NONE|UNLICENSED|)\s*$/.test(licence))
    return { ...none, reason: 'No licence is stated.' }
  let expression: Expression
  try {
    expression = parse(licence)
  } catch {
    return { ...none, reason: 'This is no SPDX licence expression.' }
  }
  return evaluated(expression, judgeLeaf)
}

function evaluated(expression: Expression, judgeLeaf: (leaf: Leaf) => Judgement): Judgement {
  if ('license' in expression) return judgeLeaf(expression)
  const sides = [evaluated(expression.left, judgeLeaf), evaluated(expression.right, judgeLeaf)]
  if (expression.conjunction === 'or')
    return sides.toSorted(
      (a, b) =>
        better.indexOf(a.verdict) - better.indexOf(b.verdict) || a.obligations.length - b.obligations.length,
    )[0]!
  const verdict = worst(sides.map((side) => side.verdict))
  return {
    verdict,
    licences: [...new Set(sides.flatMap(({ licences }) => licences))],
    obligations: [...new Set(sides.flatMap(({ obligations }) => obligations))],
    reason: sides.find((side) => side.verdict === verdict)!.reason,
  }
}

const better: Standing[] = ['ALLOWED', 'UNKNOWN', 'DENIED']
const worst = (verdicts: Standing[]): Standing =>
  better.findLast((one) => verdicts.includes(one)) ?? 'UNKNOWN'

function judged(
  { license, plus, exception }: Leaf,
  use: 'distribute' | 'host',
  allowed: readonly Category[],
  exceptions: Record<string, 'ALLOWED' | 'DENIED'>,
): Judgement {
  const licences = [`${license}${plus ? '+' : ''}${exception ? ` WITH ${exception}` : ''}`]
  const own = categoryOf(license)
  const category =
    own === 'strong-copyleft' && linkingExceptions.test(exception ?? '') ? 'weak-copyleft' : own
  const obligations = category ? owed[use][category] : []
  if (Object.hasOwn(exceptions, license)) {
    const verdict = exceptions[license]!
    return {
      verdict,
      licences,
      obligations,
      reason: `The policy names ${license}: ${verdict.toLowerCase()}.`,
    }
  }
  if (!category)
    return { verdict: 'UNKNOWN', licences, obligations, reason: `${license} is in no known family.` }
  const verdict = allowed.includes(category) ? 'ALLOWED' : 'DENIED'
  return { verdict, licences, obligations, reason: `${license} is ${category}: ${verdict.toLowerCase()}.` }
}

const categoryOf = (license: string): Category | undefined =>
  categorySchema.options.find((category) => families[category].test(license))

function conflictsAmong(answers: readonly { name: string; licences: string[] }[]) {
  const found: { between: string[]; reason: string }[] = []
  for (const [i, a] of answers.entries())
    for (const b of answers.slice(i + 1)) {
      const pairs = a.licences.flatMap((one) => b.licences.map((other) => [one, other] as const))
      const reason = conflictsOf.find(([left, right]) =>
        pairs.some(
          ([one, other]) => (left.test(one) && right.test(other)) || (left.test(other) && right.test(one)),
        ),
      )?.[2]
      if (reason && found.length < 50) found.push({ between: [a.name, b.name], reason })
    }
  return found
}
