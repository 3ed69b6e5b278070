import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { isObject } from './json-patch.ts'
import { skill } from './skill.ts'

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)

/** Names a piece of context by its content, SHA-256 over canonical JSON (RFC 8785), and tells what changed since. */
export const contextCapsule = skill({
  name: 'context-capsule',
  configuration: z.strictObject({
    /** From how many tokens on a capsule is worth a reference of its own. */
    worthTokens: z.int().min(1).max(100_000),
  }),
  input: z.strictObject({
    content: z.unknown().describe('Any JSON; the order of members is of no matter'),
    known: z
      .strictObject({
        digest: digest.describe('Of the whole'),
        parts: z.record(z.string().max(120), digest).describe('Of its members'),
      })
      .optional()
      .describe('What an earlier answer told, to compare with'),
  }),
  output: z.strictObject({
    digest: digest.describe('Of the whole'),
    parts: z.record(z.string(), digest).describe('Of the members of an object'),
    reference: z.string().nullable().describe('To send in its place; null where it is too small for that'),
    tokens: z.int().describe('Of the content as JSON without spaces'),
    unchanged: z.boolean().nullable().describe('Null where nothing is known of it'),
    changed: z.array(z.string()).describe('Members that are new, gone or other than they were'),
  }),
  run({ content, known }, { worthTokens }) {
    const whole = digestOf(content)
    const members = isObject(content) ? Object.entries(content) : []
    if (members.length > 200) throw new Error('content: has more than 200 members')
    const parts = new Map(members.map(([name, value]) => [name, digestOf(value)]))
    const before = new Map(Object.entries(known?.parts ?? {}))
    const tokens = countTokens(JSON.stringify(content))
    return {
      digest: whole,
      parts: Object.fromEntries(parts),
      reference: tokens < worthTokens ? null : `{DATA:capsule:${whole.slice('sha256:'.length).slice(0, 16)}}`,
      tokens,
      unchanged: known ? known.digest === whole : null,
      changed: known
        ? [...new Set([...parts.keys(), ...before.keys()])]
            .filter((name) => parts.get(name) !== before.get(name))
            .toSorted()
        : [],
    }
  },
})

const digestOf = (value: unknown) =>
  `sha256:${createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex')}`
