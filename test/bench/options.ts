/** A whole number from 1, as the command line has it. */
export function countOf(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${option} ${text}: expected a whole number from 1`)
  return value
}
