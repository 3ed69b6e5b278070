import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import {
  type Reference,
  referencePattern,
  referencesIn,
  replaceReferences,
  temporalValue,
  timeToLiveSeconds,
} from './reference.ts'
import { skill } from './skill.ts'

const reasons = ['unknown', 'expired', 'cycle', 'too-deep'] as const
type Reason = (typeof reasons)[number]

/** Puts values in the place of references just in time: each once, from then on a mention of it where that is shorter. */
export const referenceResolution = skill({
  name: 'reference-resolution',
  configuration: z.strictObject({
    /** How far values may refer to values. */
    depth: z.int().min(0).max(10),
  }),
  input: z.strictObject({
    prompt: z
      .string()
      .min(1)
      .max(20_000)
      .describe('With references as {DATA:artifact:id}; {TEMPORAL:now}, date and week need no value'),
    values: z
      .array(
        z.strictObject({
          reference: z.string().max(200).regex(referencePattern).describe('With its braces'),
          value: z.string().max(8000).describe('What it stands for; may have references itself'),
          ageSeconds: z.number().min(0).max(1e9).optional().describe('Since it was fetched; 0 where absent'),
        }),
      )
      .max(50)
      .describe('The values at hand'),
  }),
  output: z.strictObject({
    prompt: z.string().describe('With the values in place; what has none stays as it was'),
    inserted: z
      .array(
        z.strictObject({
          reference: z.string().describe('What was resolved'),
          tokens: z.int().describe('Of its value'),
          mentions: z.int().describe('How often it is referred to'),
        }),
      )
      .describe('In the order of their first mention'),
    unresolved: z
      .array(
        z.strictObject({
          reference: z.string().describe('What stayed as it was'),
          reason: z.enum(reasons).describe('Why'),
        }),
      )
      .describe('What to fetch or mend'),
    tokens: z.int().describe('Of the answered prompt'),
    tokensSaved: z.int().describe('By referring back instead of inserting again'),
    goodForSeconds: z.number().nullable().describe('Until the first value is out of date; null for ever'),
  }),
  run({ prompt, values }, { depth }, context) {
    const given = new Map(values.map((one) => [one.reference, one]))
    const inserted = new Map<string, { text: string; tokens: number; mentions: number }>()
    const unresolved = new Map<string, Reason>()
    let goodForSeconds = Number.POSITIVE_INFINITY
    let tokensSaved = 0
    let length = prompt.length

    const found = ({ token, type, kind }: Reference): { value: string } | { reason: Reason } => {
      const one = given.get(token)
      const value = one?.value ?? (type === 'TEMPORAL' ? temporalValue(kind, context.now()) : null)
      if (value === null) return { reason: 'unknown' }
      const left = timeToLiveSeconds[type] - (one?.ageSeconds ?? 0)
      // A value that may not be kept can still be used in the moment in which it was fetched.
      if (left < 0) return { reason: 'expired' }
      goodForSeconds = Math.min(goodForSeconds, left)
      return { value }
    }

    const textOf = (reference: Reference, within: readonly string[]): string => {
      const { token } = reference
      const before = inserted.get(token)
      if (before) return repeated(token, before)
      const keep = (reason: Reason) => {
        unresolved.set(token, reason)
        return token
      }
      if (within.includes(token)) return keep('cycle')
      if (within.length > depth) return keep('too-deep')
      const one = found(reference)
      if ('reason' in one) return keep(one.reason)
      const text = expanded(one.value, [...within, token])
      inserted.set(token, { text, tokens: countTokens(text), mentions: 1 })
      return grown(text)
    }

    const repeated = (token: string, one: { text: string; tokens: number; mentions: number }) => {
      one.mentions++
      const mention = `[see ${token.slice(1, -1)}]`
      const saved = one.tokens - countTokens(mention)
      if (saved <= 0) return grown(one.text)
      tokensSaved += saved
      return mention
    }

    // Values within values within values would multiply beyond all bounds.
    const grown = (text: string) => {
      length += text.length
      if (length > 200_000) throw new Error('prompt: has more than 200000 characters once it is resolved')
      return text
    }

    const expanded = (text: string, within: readonly string[]): string => {
      const references = referencesIn(text)
      let index = 0
      return replaceReferences(text, () => textOf(references[index++]!, within))
    }

    const resolved = expanded(prompt, [])
    return {
      prompt: resolved,
      inserted: Array.from(inserted, ([reference, { tokens, mentions }]) => ({
        reference,
        tokens,
        mentions,
      })),
      unresolved: Array.from(unresolved, ([reference, reason]) => ({ reference, reason })),
      tokens: countTokens(resolved),
      tokensSaved,
      goodForSeconds: Number.isFinite(goodForSeconds) ? goodForSeconds : null,
    }
  },
})
