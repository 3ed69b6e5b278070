/** Where two JSON values first differ, as a path; null where they are equal. The order of an object's keys is nothing. */
export function difference(found: unknown, expected: unknown, path = 'data'): string | null {
  if (!isObject(found) || !isObject(expected))
    return found === expected ? null : `${path} is ${shown(found)}, not ${shown(expected)}`
  if (Array.isArray(found) !== Array.isArray(expected))
    return `${path} is a list where the other is an object, or the reverse`
  for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const below = difference(found[key], expected[key], `${path}.${key}`)
    if (below !== null) return below
  }
  return null
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 60) ?? 'absent'
