import type { z } from 'zod'
import { badInput } from '../kit/errors.ts'
import type { Page } from '../kit/page.ts'

/** Refuses what is empty, too long, or what Postgres can't store. */
export function text(value: string, argument: string, longest: number): string {
  if (value.length > 0 && value.length <= longest && !value.includes('\0')) return value
  throw badInput(`${argument} does not fit`, argument, `1 to ${longest} characters, no NUL`)
}

/** The values that a page begins after; others would be Postgres's to refuse. */
export function readPlace<P extends Page>(page: P, place: z.ZodType): P {
  if (page.after === null || place.safeParse(page.after).success) return page
  throw badInput('after is no cursor of this connection', 'after', 'a cursor of an earlier answer')
}
