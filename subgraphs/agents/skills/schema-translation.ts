import { z } from 'zod'
import { skill } from './skill.ts'

const conversions = {
  'as-is': (value: unknown) => value,
  text: (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value)),
  number: (value: unknown) => finite(Number(value), value),
  'upper-case': (value: unknown) => String(value).toUpperCase(),
  'lower-case': (value: unknown) => String(value).toLowerCase(),
  words: (value: unknown) =>
    String(value)
      .split(/[\s,]+/)
      .filter(Boolean),
  joined: (value: unknown) => (Array.isArray(value) ? value.join(' ') : String(value)),
  slug: (value: unknown) =>
    String(value)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, ' ')
      .trim()
      .replaceAll(' ', '-'),
  'epoch-seconds': (value: unknown) => new Date(finite(Number(value), value) * 1000).toISOString(),
  'epoch-milliseconds': (value: unknown) => new Date(finite(Number(value), value)).toISOString(),
}

const recordSchema = z.record(z.string(), z.unknown())
const pathSchema = z.string().min(1).max(120)
const fieldSchema = z.strictObject({
  /** Dotted; a part may be an index. */
  from: pathSchema,
  to: pathSchema,
  convert: z.enum([
    'as-is',
    'text',
    'number',
    'upper-case',
    'lower-case',
    'words',
    'joined',
    'slug',
    'epoch-seconds',
    'epoch-milliseconds',
  ]),
  /** Multiplies a number after its conversion. */
  scale: z.number().optional(),
  /** Replaces known words after the conversion; another word is an error. */
  words: z.record(z.string(), z.string()).optional(),
  required: z.boolean(),
})

/** Carries a record of one party's shape over to another's, field by field, and tells what was left behind. */
export const schemaTranslation = skill({
  name: 'schema-translation',
  configuration: z.strictObject({
    fields: z.array(fieldSchema).min(1).max(60),
    constants: z.record(pathSchema, z.union([z.string(), z.number(), z.boolean()])),
  }),
  input: z.strictObject({
    record: z.record(z.string().max(120), z.unknown()).describe('The record as the other party wrote it'),
  }),
  output: z.strictObject({
    record: z.record(z.string(), z.unknown()).describe('The same in our shape'),
    untranslated: z.array(z.string()).describe('Fields of the original that have no counterpart'),
  }),
  run({ record }, { fields, constants }) {
    const translated: Record<string, unknown> = {}
    for (const [to, value] of Object.entries(constants)) put(translated, to, value)
    for (const { from, to, convert, scale, words, required } of fields) {
      const found = at(record, from)
      if (found === undefined) {
        if (required) throw new Error(`record.${from}: is missing and ${to} cannot be made without it`)
        continue
      }
      let value = conversions[convert](found)
      if (scale !== undefined) value = Number((finite(Number(value), value) * scale).toPrecision(12))
      if (words) {
        const word = String(value)
        if (!Object.hasOwn(words, word))
          throw new Error(`record.${from}: ${word} is none of ${Object.keys(words).join(', ')}`)
        value = words[word]
      }
      put(translated, to, value)
    }
    const read = fields.map(({ from }) => from)
    return {
      record: translated,
      untranslated: leaves(record, '').filter(
        (leaf) => !read.some((from) => leaf === from || leaf.startsWith(`${from}.`)),
      ),
    }
  },
})

function finite(value: number, original: unknown): number {
  if (!Number.isFinite(value)) throw new Error(`record: ${JSON.stringify(original)} is not a number`)
  return value
}

function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((inner, part) => Object.entries(inner ?? {}).find(([name]) => name === part)?.[1], value)
}

function put(target: Record<string, unknown>, path: string, value: unknown): void {
  const [first, ...rest] = path.split('.')
  if (rest.length === 0) {
    target[first!] = value
    return
  }
  const inner = { ...recordSchema.safeParse(target[first!]).data }
  put(inner, rest.join('.'), value)
  target[first!] = inner
}

function leaves(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, path ? `${path}.${name}` : name))
}
