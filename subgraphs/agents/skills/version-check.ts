import { z } from 'zod'
import { honestyOf, steps } from '../../kit/version-honesty.ts'
import { skill } from './skill.ts'

const schema = z.record(z.string().max(80), z.unknown())
const releaseSchema = z.strictObject({
  version: z.string().min(1).max(100).describe('A semantic version'),
  capabilities: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(100).describe('Unique within the agent'),
        description: z.string().max(2000).optional().describe('What is done'),
        input: schema.describe('JSON Schema of a request'),
        output: schema.describe('JSON Schema of an answer'),
      }),
    )
    .min(1)
    .max(20)
    .describe('What it can be asked to do'),
})

/** Whether a new version's number owns up to what changed: Semantic Versioning 2.0.0 over the declared schemas. */
export const versionCheck = skill({
  name: 'version-check',
  configuration: z.strictObject({
    /** Before 1.0.0 a new minor version may break; with `strict` it may not. */
    initialDevelopment: z.enum(['minor-may-break', 'strict']),
    undeclared: z.enum(['anything', 'ignored']),
  }),
  input: z.strictObject({
    before: releaseSchema.describe('As it is in force'),
    after: releaseSchema.describe('As it is to be'),
  }),
  output: z.strictObject({
    honest: z.boolean().describe('The step is at least what the changes demand'),
    demanded: z.enum(steps).describe('By the changes'),
    taken: z.enum(steps).describe('By the version numbers'),
    atLeast: z.string().describe('The lowest version that would do'),
    changes: z
      .array(
        z.strictObject({
          capability: z.string().describe('Where'),
          step: z.enum(steps).describe('What it demands'),
          change: z.string().describe('What changed'),
        }),
      )
      .describe('The gravest first, at most 30'),
  }),
  run({ before, after }, options) {
    const { changes, ...honesty } = honestyOf(before, after, options)
    return { ...honesty, changes: changes.slice(0, 30) }
  },
})
