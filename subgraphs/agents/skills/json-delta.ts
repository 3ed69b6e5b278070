import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { isObject, jsonPatch, mergePatch } from './json-patch.ts'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const formats = {
  'json-patch': (before: unknown, after: unknown, guard: boolean) => ({
    patch: jsonPatch(before, after, guard),
  }),
  'merge-patch': (before: unknown, after: unknown) => mergePatch(before, after),
}

/** Only what changed in a JSON document, as an RFC 6902 or RFC 7396 patch, where that takes fewer tokens than the document. */
export const jsonDelta = skill({
  name: 'json-delta',
  configuration: z.strictObject({
    format: z.enum(['json-patch', 'merge-patch']),
    /** json-patch only: test each value that goes, so that the patch fails on any other document. */
    guard: z.boolean(),
    /** A patch that takes more than this share of the document's tokens is not worth it. */
    worthBelow: z.number().min(0).max(1),
  }),
  input: z.strictObject({
    before: z.unknown().describe('What the receiver has; any JSON'),
    after: z.unknown().describe('What the receiver should have; any JSON'),
  }),
  output: z.strictObject({
    send: z.enum(['nothing', 'patch', 'document']).describe('What to send on'),
    contentType: z.string().describe('Of what is sent'),
    content: z.unknown().describe('The patch or the document; null for nothing'),
    changes: z.int().describe('Operations, or members at the top, of the patch'),
    tokens: z.int().describe('Of what is sent'),
    tokensOfDocument: z.int().describe('Of the document in whole'),
    savedPercent: z.number().describe('Against sending the document'),
  }),
  run({ before, after }, { format, guard, worthBelow }) {
    const tokensOfDocument = countTokens(JSON.stringify(after))
    if (isDeepStrictEqual(before, after))
      return {
        send: 'nothing' as const,
        contentType: '',
        content: null,
        changes: 0,
        tokens: 0,
        tokensOfDocument,
        savedPercent: 100,
      }
    const delta = formats[format](before, after, guard)
    const patch = delta?.patch
    const tokensOfPatch = countTokens(JSON.stringify(patch ?? null))
    const worth = delta !== null && tokensOfPatch <= tokensOfDocument * worthBelow
    const tokens = worth ? tokensOfPatch : tokensOfDocument
    return {
      send: worth ? ('patch' as const) : ('document' as const),
      contentType: worth ? `application/${format}+json` : 'application/json',
      content: worth ? patch : after,
      changes: Array.isArray(patch) || isObject(patch) ? Object.keys(patch).length : 1,
      tokens,
      tokensOfDocument,
      savedPercent: rounded(100 * (1 - tokens / tokensOfDocument), 1),
    }
  },
})
