import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'

const pointer = z.string().max(1000)
const value = z.unknown()

/** An operation of RFC 6902. */
export const operationSchema = z.discriminatedUnion('op', [
  z.strictObject({ op: z.enum(['add', 'replace', 'test']), path: pointer, value }),
  z.strictObject({ op: z.literal('remove'), path: pointer }),
  z.strictObject({ op: z.enum(['move', 'copy']), from: pointer, path: pointer }),
])
type Operation = z.output<typeof operationSchema>
type Members = Record<string, unknown>

const maxDepth = 60

/** Throws what is wrong with the operation where it can't be applied; never changes the document. */
export function applied(document: unknown, operation: Operation): unknown {
  const path = stepsOf(operation.path)
  switch (operation.op) {
    case 'add':
      return added(document, path, operation.value)
    case 'remove':
      return removed(document, path)
    case 'replace':
      valueAt(document, path)
      return path.length === 0
        ? operation.value
        : changed(document, path, (parent, last) => withMember(parent, last, operation.value))
    case 'test':
      if (!isDeepStrictEqual(valueAt(document, path), operation.value)) throw new Error('has another value')
      return document
    case 'copy':
      return added(document, path, copyable(document, valueAt(document, stepsOf(operation.from))))
    case 'move': {
      if (operation.path.startsWith(`${operation.from}/`)) throw new Error('cannot move into itself')
      const from = stepsOf(operation.from)
      return added(removed(document, from), path, valueAt(document, from))
    }
  }
}

/** Few operations that make `after` of `before`; with `guard`, each that loses a value first tests that it is there. */
export function jsonPatch(
  before: unknown,
  after: unknown,
  guard: boolean,
  path = '',
  depth = 0,
): Operation[] {
  if (depth > maxDepth) throw new Error(`before: is nested more than ${maxDepth} levels deep`)
  if (isDeepStrictEqual(before, after)) return []
  const test = (at: string, old: unknown): Operation[] =>
    guard ? [{ op: 'test', path: at, value: old }] : []
  const within = (step: string | number, old: unknown, now: unknown) =>
    jsonPatch(old, now, guard, `${path}/${escaped(`${step}`)}`, depth + 1)
  const gone = (step: string | number, old: unknown): Operation[] => {
    const at = `${path}/${escaped(`${step}`)}`
    return [...test(at, old), { op: 'remove', path: at }]
  }
  if (isObject(before) && isObject(after))
    return [
      ...Object.entries(before).flatMap(([name, old]) =>
        Object.hasOwn(after, name) ? within(name, old, after[name]) : gone(name, old),
      ),
      ...Object.entries(after)
        .filter(([name]) => !Object.hasOwn(before, name))
        .map(([name, now]): Operation => ({ op: 'add', path: `${path}/${escaped(name)}`, value: now })),
    ]
  if (Array.isArray(before) && Array.isArray(after)) {
    const { start, end } = commonEnds(before, after)
    const [old, now] = [before.slice(start, before.length - end), after.slice(start, after.length - end)]
    const both = Math.min(old.length, now.length)
    return [
      ...old.slice(0, both).flatMap((item, index) => within(start + index, item, now[index])),
      // From the back, so that the places of those before stay as they are.
      ...old
        .slice(both)
        .flatMap((item, index) => [gone(start + both + index, item)])
        .toReversed()
        .flat(),
      ...now
        .slice(both)
        .map(
          (item, index): Operation => ({ op: 'add', path: `${path}/${start + both + index}`, value: item }),
        ),
    ]
  }
  return [...test(path, before), { op: 'replace', path, value: after }]
}

/** By RFC 7396. Null where a merge patch can't say it: it has no word for a member that becomes null. */
export function mergePatch(before: unknown, after: unknown, depth = 0): { patch: unknown } | null {
  if (depth > maxDepth) throw new Error(`before: is nested more than ${maxDepth} levels deep`)
  if (!isObject(after)) return { patch: after }
  const old = isObject(before) ? before : {}
  const patch = new Map<string, unknown>()
  for (const name of Object.keys(old)) if (!Object.hasOwn(after, name)) patch.set(name, null)
  for (const [name, now] of Object.entries(after)) {
    if (Object.hasOwn(old, name) && isDeepStrictEqual(old[name], now)) continue
    const member =
      now === null ? null : mergePatch(Object.hasOwn(old, name) ? old[name] : undefined, now, depth + 1)
    if (member === null) return null
    patch.set(name, member.patch)
  }
  return { patch: Object.fromEntries(patch) }
}

export const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const escaped = (step: string) => step.replaceAll('~', '~0').replaceAll('/', '~1')

/** RFC 6901. */
function stepsOf(path: string): string[] {
  if (path === '') return []
  if (!path.startsWith('/') || /~(?![01])/.test(path)) throw new Error('is no JSON pointer')
  return path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  let at = document
  for (const step of path) {
    if (Array.isArray(at)) at = at[place(step, at.length - 1)]
    else if (isObject(at) && Object.hasOwn(at, step)) at = at[step]
    else throw new Error('leads nowhere')
  }
  return at
}

/** A document copied into itself doubles with each operation. */
function copyable(document: unknown, value: unknown): unknown {
  if (JSON.stringify(document).length + JSON.stringify(value).length > 500_000)
    throw new Error('would make the document longer than 500000 characters')
  return value
}

function place(step: string, last: number): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(step) || Number(step) > last) throw new Error('is no place in the array')
  return Number(step)
}

const added = (document: unknown, path: readonly string[], value: unknown): unknown =>
  path.length === 0
    ? value
    : changed(document, path, (parent, last) =>
        Array.isArray(parent)
          ? parent.toSpliced(last === '-' ? parent.length : place(last, parent.length), 0, value)
          : withMember(parent, last, value),
      )

function removed(document: unknown, path: readonly string[]): unknown {
  if (path.length === 0) throw new Error('the whole document cannot be removed')
  valueAt(document, path)
  return changed(document, path, (parent, last) =>
    Array.isArray(parent)
      ? parent.toSpliced(place(last, parent.length - 1), 1)
      : Object.fromEntries(Object.entries(parent).filter(([name]) => name !== last)),
  )
}

function changed(
  document: unknown,
  path: readonly string[],
  change: (parent: Members | unknown[], last: string) => unknown,
): unknown {
  const [step = '', ...rest] = path
  if (path.length > maxDepth) throw new Error('is too long a path')
  if (!isObject(document) && !Array.isArray(document)) throw new Error('leads nowhere')
  if (rest.length === 0) return change(document, step)
  return withMember(document, step, changed(valueAt(document, [step]), rest, change))
}

// Defined and not assigned, so that a member named __proto__ is a member as any other.
const withMember = (parent: Members | unknown[], step: string, value: unknown): unknown =>
  Array.isArray(parent)
    ? parent.with(place(step, parent.length - 1), value)
    : Object.defineProperty({ ...parent }, step, {
        value,
        enumerable: true,
        writable: true,
        configurable: true,
      })

function commonEnds(before: readonly unknown[], after: readonly unknown[]): { start: number; end: number } {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && isDeepStrictEqual(before[start], after[start])) start++
  let end = 0
  while (end < shorter - start && isDeepStrictEqual(before.at(-1 - end), after.at(-1 - end))) end++
  return { start, end }
}
