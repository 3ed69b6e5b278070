import { z } from 'zod'

/** A value of an earlier step's output, wherever it stands in an input. */
type Reference = { step: string; path: string; at: string[] }

const reference = z.strictObject({ $from: z.string().min(1), path: z.string().default('') })

/** Of a string, whether it is a JSON pointer (RFC 6901). */
export const isPointer = (text: string): boolean => /^(?:\/(?:[^~/]|~[01])*)*$/.test(text)

/** Of a step that has no such output, or no such place in it. */
export class NoValue extends Error {}

type Found = { references: Reference[]; malformed: string[][] }

/** All references in an input, and the places where something like one stands. */
export function referencesIn(input: unknown): Found {
  const found: Found = { references: [], malformed: [] }
  const walk = (value: unknown, at: string[]): void => {
    if (typeof value !== 'object' || value === null) return
    if (!Object.hasOwn(value, '$from')) {
      for (const [name, each] of Object.entries(value)) walk(each, [...at, name])
      return
    }
    const parsed = reference.safeParse(value)
    if (!parsed.success || !isPointer(parsed.data.path)) found.malformed.push(at)
    else found.references.push({ step: parsed.data.$from, path: parsed.data.path, at })
  }
  walk(input, [])
  return found
}

/** The input with the values that its references stand for. Throws NoValue. */
export function filledIn(input: unknown, valueFor: (step: string, path: string) => unknown): unknown {
  if (typeof input !== 'object' || input === null) return input
  if (Array.isArray(input)) return input.map((each) => filledIn(each, valueFor))
  const parsed = reference.safeParse(input)
  if (!parsed.success)
    return Object.fromEntries(Object.entries(input).map(([name, each]) => [name, filledIn(each, valueFor)]))
  const { $from: step, path } = parsed.data
  const value = valueFor(step, path)
  if (value === undefined) throw new NoValue(`the output of ${step} has nothing at ${path || 'its root'}`)
  return value
}

/** What a JSON pointer points to; undefined where there is nothing. */
export function valueAt(value: unknown, pointer: string): unknown {
  let found = value
  for (const escaped of pointer.split('/').slice(1)) {
    const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    if (Array.isArray(found) && !/^\d+$/.test(name)) return undefined
    found = (found as Record<string, unknown>)[name]
  }
  return found
}
