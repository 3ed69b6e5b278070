/**
 * How a part of a foreign document is read: undefined where the value is of another kind. What is understood is noted by
 * its JSON pointer, with all in it.
 */
export type Shape<T> = (value: unknown, pointer: string, understood: Set<string>) => T | undefined

type Read<S> = S extends Shape<infer T> ? T : never
type Parts<F extends Fields> = Partial<{ [K in keyof F]: Read<F[K]> }>
export type Fields = Record<string, unknown>
type Setting = string | number | boolean | object

const leaf =
  <T>(fits: (value: unknown) => value is T): Shape<T> =>
  (value, pointer, understood) => {
    if (!fits(value)) return undefined
    understood.add(pointer)
    return value
  }

export const text = leaf((value): value is string => typeof value === 'string')
export const number = leaf((value): value is number => typeof value === 'number')
export const flag = leaf((value): value is boolean => typeof value === 'boolean')
/** A document within the document, as a JSON Schema or what another product has put there: kept as it is. */
export const object = leaf(isFields)
/** A setting of any kind. */
export const anything = leaf((value): value is Setting => value !== null && value !== undefined)

/** Fields that are not named stay without a note. */
export const record =
  <F extends Record<string, Shape<unknown>>>(fields: F): Shape<Parts<F>> =>
  (value, pointer, understood) => {
    if (!isFields(value)) return undefined
    const found: Fields = {}
    for (const [name, shape] of Object.entries(fields)) {
      if (!Object.hasOwn(value, name)) continue
      const part = shape(value[name], below(pointer, name), understood)
      if (part !== undefined) found[name] = part
    }
    return found as Parts<F>
  }

/** Items of another kind are left out, without a note. */
export const list =
  <T>(of: Shape<T>): Shape<T[]> =>
  (value, pointer, understood) =>
    Array.isArray(value)
      ? value.flatMap((item: unknown, index) => {
          const part = of(item, below(pointer, `${index}`), understood)
          return part === undefined ? [] : [part]
        })
      : undefined

export const map =
  <T>(of: Shape<T>): Shape<Record<string, T>> =>
  (value, pointer, understood) => {
    if (!isFields(value)) return undefined
    const parts = Object.entries(value).map(([name, item]) => [
      name,
      of(item, below(pointer, name), understood),
    ])
    return Object.fromEntries(parts.filter(([, part]) => part !== undefined)) as Record<string, T>
  }

/** The first that fits. */
export const either =
  <A, B>(one: Shape<A>, other: Shape<B>): Shape<A | B> =>
  (value, pointer, understood) =>
    one(value, pointer, understood) ?? other(value, pointer, understood)

/** Pointers of what was not understood; of what holds nothing that was, only its own. */
export function notUnderstoodIn(document: unknown, understood: ReadonlySet<string>): string[] {
  const visit = (value: unknown, pointer: string): { pointers: string[]; isAll: boolean } => {
    if (understood.has(pointer)) return { pointers: [], isAll: false }
    const items = Array.isArray(value)
      ? value.map((item, index) => [`${index}`, item] as const)
      : fieldsOf(value)
    if (items.length === 0)
      return isHollow(value) ? { pointers: [], isAll: true } : { pointers: [pointer], isAll: true }
    const parts = items.map(([name, item]) => visit(item, below(pointer, name)))
    const pointers = parts.flatMap((part) => part.pointers)
    const isAll = pointer !== '' && pointers.length > 0 && parts.every((part) => part.isAll)
    return isAll ? { pointers: [pointer], isAll } : { pointers, isAll: false }
  }
  return visit(document, '').pointers
}

const isHollow = (value: unknown) => typeof value === 'object'

const fieldsOf = (value: unknown): [string, unknown][] => (isFields(value) ? Object.entries(value) : [])

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const below = (pointer: string, name: string) =>
  `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
