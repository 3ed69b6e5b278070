import { badInput } from './errors.ts'

/** Refuses what is empty, too long, or what Postgres can't store. Lengths are in UTF-16 units. */
export function text(value: string, argument: string, longest = 200, shortest = 1): string {
  if (value.length >= shortest && value.length <= longest && !value.includes('\0')) return value
  throw badInput(`${argument} does not fit`, argument, `${shortest} to ${longest} characters, no NUL`)
}

/** A filter whose texts are such as can be looked for; none is an empty one. */
export function requireFilter<Filter extends object>(filter: Filter | null | undefined): Partial<Filter> {
  for (const [name, value] of Object.entries(filter ?? {}))
    if (typeof value === 'string') text(value, `filter.${name}`)
  return filter ?? {}
}
