import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { applied, jsonPatch, operationSchema } from './json-patch.ts'
import { skill } from './skill.ts'

/** Whether a patch of RFC 6902 can be applied to a document, and makes of it what it should. */
export const patchVerification = skill({
  name: 'patch-verification',
  configuration: z.strictObject({
    /** Places that may differ from what is expected, as JSON pointers. */
    ignored: z.array(z.string().max(200)).max(20),
  }),
  input: z.strictObject({
    document: z.unknown().describe('What the patch is for; any JSON'),
    patch: z.array(operationSchema).max(100).describe('Operations of RFC 6902, in their order'),
    expected: z.unknown().optional().describe('What should come out; absent to try the patch only'),
  }),
  output: z.strictObject({
    verdict: z
      .enum(['AS_EXPECTED', 'APPLIES', 'OTHERWISE', 'DOES_NOT_APPLY'])
      .describe('APPLIES where nothing is expected; OTHERWISE where something else comes out'),
    failed: z
      .strictObject({
        operation: z.int().describe('Its place in the patch, from 0'),
        reason: z.string().describe('Why it cannot be applied'),
      })
      .nullable()
      .describe('Null where all can be applied'),
    result: z.unknown().describe('What comes out; the document as it was where the patch does not apply'),
    differences: z.array(z.string()).describe('Places that are not as expected, as JSON pointers'),
  }),
  run({ document, patch, expected }, { ignored }) {
    let result = document
    for (const [operation, one] of patch.entries())
      try {
        result = applied(result, one)
      } catch (error) {
        const reason = `${one.op} ${one.path}: ${error instanceof Error ? error.message : String(error)}`
        return {
          verdict: 'DOES_NOT_APPLY' as const,
          failed: { operation, reason },
          result: document,
          differences: [],
        }
      }
    if (expected === undefined) return { verdict: 'APPLIES' as const, failed: null, result, differences: [] }
    const differences = isDeepStrictEqual(result, expected)
      ? []
      : jsonPatch(result, expected, false)
          .map(({ path }) => path)
          .filter((path) => !ignored.some((place) => path === place || path.startsWith(`${place}/`)))
    return {
      verdict: differences.length === 0 ? ('AS_EXPECTED' as const) : ('OTHERWISE' as const),
      failed: null,
      result,
      differences: [...new Set(differences)].slice(0, 100),
    }
  },
})
