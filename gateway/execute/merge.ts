import { type GraphQLSchema, isObjectType } from 'graphql'

/** JSON as a subgraph sent it: any key may be in it, `__proto__` too. */
export type JsonObject = { [key: string]: unknown }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object's own value; never what its prototype has under that name. */
export const own = (object: JsonObject, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined

/** Sets an own value; assigning `__proto__` would set the prototype instead. */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  else object[key] = value
}

export type IsConcrete = (typename: unknown) => boolean

export const concreteTypes =
  (schema: GraphQLSchema): IsConcrete =>
  (typename) =>
    typeof typename === 'string' && isObjectType(schema.getType(typename))

/**
 * Merges what a subgraph answered into what others answered before: objects field by field, lists of equal length
 * element by element. Null never replaces an object, and a `__typename` only gives way to a concrete one.
 */
export function merge(target: JsonObject, source: JsonObject, isConcrete: IsConcrete): void {
  if (target === source) return
  for (const key of Object.keys(source)) mergeField(target, key, source[key], isConcrete)
}

/** As `merge`, of one key. */
export function mergeField(target: JsonObject, key: string, value: unknown, isConcrete: IsConcrete): void {
  const yields = (known: unknown) => !isConcrete(known) && isConcrete(value)
  const known = own(target, key)
  if (isObject(known)) {
    if (isObject(value)) merge(known, value, isConcrete)
  } else if (Array.isArray(known) && Array.isArray(value)) {
    mergeLists(known, value, isConcrete)
  } else if (known === undefined || (value !== null && (key !== '__typename' || yields(known)))) {
    setOwn(target, key, value)
  }
}

function mergeLists(target: unknown[], source: unknown[], isConcrete: IsConcrete): void {
  if (target.length !== source.length) return
  for (const [index, value] of source.entries()) {
    const known = target[index]
    if (isObject(known) && isObject(value)) merge(known, value, isConcrete)
    else if (Array.isArray(known) && Array.isArray(value)) mergeLists(known, value, isConcrete)
    else if (value !== null) target[index] = value
  }
}
