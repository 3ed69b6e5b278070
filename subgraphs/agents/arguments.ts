import { badInput } from '../kit/errors.ts'
import { type Page, pageArgs } from '../kit/page.ts'

/** Refuses what Postgres can't store and what nobody would mean. */
export function requireText(value: string, argument: string, longest = 200): string {
  if (value.length > 0 && value.length <= longest && !value.includes('\0')) return value
  throw badInput(`${argument} does not fit`, argument, `1 to ${longest} characters, no NUL`)
}

/** A filter whose texts are such as can be looked for; none is an empty one. */
export function requireFilter<Filter extends object>(filter: Filter | null | undefined): Partial<Filter> {
  for (const [name, value] of Object.entries(filter ?? {}))
    if (typeof value === 'string') requireText(value, `filter.${name}`)
  return filter ?? {}
}

type Arguments = { first?: number | null; after?: string | null }

/** Of a connection in the order of a text. */
export function pageByText(args: Arguments, limits: { max?: number; default?: number } = {}): Page {
  const page = pageArgs(args, { ...limits, size: 1 })
  const after = page.after?.[0]
  if (after !== undefined && (typeof after !== 'string' || after.includes('\0'))) throw noCursor()
  return page
}

/** Of a connection in the order of a whole number. */
export function pageByNumber(args: Arguments, limits: { max?: number; default?: number } = {}): Page {
  const page = pageArgs(args, { ...limits, size: 1 })
  if (page.after && !Number.isSafeInteger(page.after[0])) throw noCursor()
  return page
}

const noCursor = () =>
  badInput('after is no cursor of this connection', 'after', 'a cursor of an earlier answer')
