import { z } from 'zod'
import { breaksOf, unread } from '../../kit/schema-inclusion.ts'
import { skill } from './skill.ts'

const documentSchema = z.record(z.string().max(80), z.unknown())
/** Whether what fitted one version of a JSON Schema fits the other: set inclusion, keyword by keyword. */
export const schemaCompatibility = skill({
  name: 'schema-compatibility',
  configuration: z.strictObject({
    /** backward: the new version takes all that the old one took. forward: the old takes all that the new one takes. */
    direction: z.enum(['backward', 'forward', 'full']),
    /** Whether a property that one version does not name counts as taking anything, where it is open. */
    undeclared: z.enum(['anything', 'ignored']),
  }),
  input: z.strictObject({
    before: documentSchema.describe('The old JSON Schema'),
    after: documentSchema.describe('The new JSON Schema'),
  }),
  output: z.strictObject({
    compatible: z.boolean().describe('No break was found'),
    breaks: z
      .array(
        z.strictObject({
          path: z.string().describe('JSON pointer of the instance, / for the whole'),
          problem: z.string().describe('What no longer fits'),
        }),
      )
      .describe('In the order of the schema'),
    notJudged: z.array(z.string()).describe('Keywords met that this comparison does not read'),
  }),
  run({ before, after }, { direction, undeclared }) {
    const unjudged = new Set([...unread(before), ...unread(after)])
    const breaks = [
      ...(direction === 'forward' ? [] : breaksOf(before, after, undeclared)),
      ...(direction === 'backward' ? [] : breaksOf(after, before, undeclared)),
    ]
    return {
      compatible: breaks.length === 0,
      breaks: breaks.slice(0, 50),
      notJudged: [...unjudged].toSorted(),
    }
  },
})
