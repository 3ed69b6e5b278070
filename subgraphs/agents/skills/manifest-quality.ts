import { isDeepStrictEqual } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { z } from 'zod'
import {
  asSchema,
  type ExaminedManifest,
  examinedInput,
  type JsonSchema,
  manifestOf,
  schemaNodes,
  typesOf,
  withoutPatterns,
} from './examined-manifest.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

type Measure = { met: number; of: number; missing: string | undefined }
const criterionNames = [
  'purpose',
  'capability-descriptions',
  'examples',
  'valid-examples',
  'strict-objects',
  'bounds',
  'property-descriptions',
] as const

/** How complete and how strict a manifest is, in points, with a reason for every point that is missing. */
export const manifestQuality = skill({
  name: 'manifest-quality',
  configuration: z.strictObject({
    /** Points for a criterion that is met in full; they need not sum to 100. */
    points: z.record(z.enum(criterionNames), z.number().min(0).max(100)),
    passPercent: z.number().min(0).max(100),
    examplesEach: z.int().min(1).max(5),
  }),
  input: examinedInput,
  output: z.strictObject({
    agent: z.string().describe("The manifest's name"),
    score: z.number().describe('0 to 100'),
    passed: z.boolean().describe('Whether the score is enough'),
    shortfalls: z
      .array(
        z.strictObject({
          criterion: z.string().describe('What is not met in full'),
          lost: z.number().describe('Of the 100'),
          reason: z.string().describe('How much is there, and the first that is missing'),
        }),
      )
      .describe('What costs most first'),
  }),
  async run(input, { points, passPercent, examplesEach }, context) {
    const manifest = await manifestOf(input, context)
    const all = sum(Object.values(points)) || 1
    const shortfalls = criterionNames
      .map((criterion) => {
        const { met, of, missing } = criteria[criterion](manifest, examplesEach)
        const share = of === 0 ? 1 : met / of
        const lost = rounded((100 * points[criterion] * (1 - share)) / all, 1)
        return {
          criterion,
          lost,
          reason: `${met} of ${of}${missing === undefined ? '' : `; missing: ${missing}`}`,
        }
      })
      .filter(({ lost }) => lost > 0)
      .toSorted((a, b) => b.lost - a.lost)
    const score = rounded(100 - sum(shortfalls.map(({ lost }) => lost)), 1)
    return { agent: manifest.metadata.name, score, passed: score >= passPercent, shortfalls }
  },
})

const criteria: Record<(typeof criterionNames)[number], (m: ExaminedManifest, examples: number) => Measure> =
  {
    purpose({ metadata: { description = '' } }) {
      const wishes = [
        { name: 'a description of at least 80 characters', fits: description.trim().length >= 80 },
        { name: 'when to pick it', fits: /\b(when|pick|use it|choose)\b/i.test(description) },
      ]
      return share(
        wishes,
        ({ fits }) => fits,
        ({ name }) => name,
      )
    },

    'capability-descriptions': ({ spec }) =>
      share(
        spec.capabilities,
        ({ description = '' }) => description.trim().length >= 15,
        ({ name }) => name,
      ),

    examples: ({ spec }, each) =>
      share(
        spec.capabilities,
        ({ examples = [] }) =>
          examples.filter(
            ({ input }, index) =>
              examples.findIndex((other) => isDeepStrictEqual(other.input, input)) === index,
          ).length >= each,
        ({ name }) => `${each} different examples of ${name}`,
      ),

    'valid-examples'({ spec }) {
      const tried = spec.capabilities.flatMap(({ name, input, examples = [] }) => {
        const fits = validator(input)
        return examples.map((example, index) => ({
          name: `${name} ${index + 1}`,
          fits: fits(example.input),
        }))
      })
      return share(
        tried,
        ({ fits }) => fits,
        ({ name }) => name,
      )
    },

    'strict-objects': (manifest) =>
      share(
        nodesOf(manifest).filter(({ node }) => node.type === 'object' || node.properties !== undefined),
        ({ node }) =>
          node.additionalProperties === false || asSchema(node.additionalProperties) !== undefined,
        ({ path }) => path,
      ),

    bounds: (manifest) =>
      share(
        nodesOf(manifest, ['input']).filter(({ node }) =>
          typesOf(node).some((type) => ['string', 'array', 'number', 'integer'].includes(type)),
        ),
        ({ node }) => typesOf(node).every((type) => isBounded(node, type)),
        ({ path }) => path,
      ),

    'property-descriptions': (manifest) =>
      share(
        nodesOf(manifest).filter(({ path }) => /\/properties\/[^/]*$/.test(path)),
        ({ node }) => typeof node.description === 'string' && node.description.trim().length > 0,
        ({ path }) => path,
      ),
  }

function share<T>(all: readonly T[], fits: (one: T) => boolean, name: (one: T) => string): Measure {
  const missing = all.filter((one) => !fits(one))
  return {
    met: all.length - missing.length,
    of: all.length,
    missing: missing[0] === undefined ? undefined : name(missing[0]).slice(0, 200),
  }
}

const nodesOf = ({ spec }: ExaminedManifest, sides: ('input' | 'output')[] = ['input', 'output']) =>
  spec.capabilities.flatMap((capability) =>
    sides.flatMap((side) => schemaNodes(capability[side], `/${capability.name}/${side}`)),
  )

function isBounded(node: JsonSchema, type: string): boolean {
  if (node.enum !== undefined || node.const !== undefined) return true
  if (type === 'string') return node.maxLength !== undefined || node.format !== undefined
  if (type === 'array') return node.maxItems !== undefined
  if (type === 'number' || type === 'integer')
    return node.maximum !== undefined || node.exclusiveMaximum !== undefined
  return true
}

/** A schema that can't be compiled fits nothing. */
function validator(input: JsonSchema | undefined): (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false, addUsedSchema: false })
  // Throws where the schema is too large to be compiled in good time.
  schemaNodes(input, 'input')
  try {
    return ajv.compile(withoutPatterns(input ?? false) as JsonSchema)
  } catch {
    return () => false
  }
}
