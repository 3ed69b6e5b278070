import { badInput } from '../kit/errors.ts'

/** Refuses what is empty, too long, or what Postgres can't store. */
export function text(value: string, argument: string, longest: number): string {
  if (value.length > 0 && value.length <= longest && !value.includes('\0')) return value
  throw badInput(`${argument} does not fit`, argument, `1 to ${longest} characters, no NUL`)
}
