import { type ObjectPath, typesOf } from '../plan/path.ts'
import type { CompiledPart, Route } from './compile.ts'
import { type IsConcrete, isObject, type JsonObject, own } from './merge.ts'
import { createProgram, isObjectText, literal, reading } from './program.ts'

export type Path = readonly (string | number)[]

/** What fetches have found on their way, for those after them. */
export type Stations = {
  /** Objects that were at a path when its fetch began, by fetch, part and path; none of a fetch that was passed over. */
  found: JsonObject[][][][]
  /** Whether an object may be in the answer more than once. */
  repeated: boolean
}

/** Where in the answer objects of a part are, as far as that is looked for. */
export type Locate = (part: CompiledPart, objects: readonly JsonObject[]) => Path[]

// Shared objects may have places without end.
const mostPlaces = 10_000

/** Replaces each object at a path below `value` by what `visit` makes of it; what is null or absent is passed over. */
export type Find = (value: unknown, visit: (object: JsonObject) => JsonObject) => unknown

/** Made for a path. */
export function finder(path: ObjectPath, isConcrete: IsConcrete): Find {
  const program = createProgram()
  const inList = (find: string) =>
    `if(Array.isArray(v))for(let i=0;i<v.length;i++){${replacing('v[i]', 'v[i]', find)}}`
  const last = program.define(
    'v,visit',
    (self) => `${inList(self)}else if(${isObjectText('v')})return visit(v);return v`,
  )
  const first = path.reduceRight((next, step) => {
    const types = typesOf(step)
    return program.define('v,visit', (self) => {
      if (step === '@') return `${inList(next)}return v`
      const below = types
        ? `if(${program.refer(isOneOf(types, isConcrete))}(v.__typename))return ${next}(v,visit)`
        : replacing(reading('v', step), `v[${literal(step)}]`, next)
      return `${inList(self)}else if(${isObjectText('v')}){${below}}return v`
    })
  }, last)
  return program.link(first)
}

/** Whether an object with this `__typename` may be of the types: it may be unknown, or that of an interface object. */
export const isOneOf =
  (types: readonly string[], isConcrete: IsConcrete) =>
  (typename: unknown): boolean =>
    !isConcrete(typename) || types.includes(typename as string)

const replacing = (value: string, place: string, find: string) =>
  `const old=${value},made=${find}(old,visit);if(made!==old)${place}=made;`

/**
 * Lets `visit` see the objects at a path, each once, and replace them by another. Answers those that stand there then.
 */
export function visitAt(
  data: JsonObject,
  { from, find }: Route,
  { found, repeated }: Stations,
  visit: (object: JsonObject) => JsonObject,
): JsonObject[] {
  const objects: JsonObject[] = []
  const first = (object: JsonObject): JsonObject => {
    const made = visit(object)
    if (made === object) objects.push(object)
    return made
  }
  const seen = new Map<JsonObject, JsonObject>()
  const once = (object: JsonObject): JsonObject => {
    const known = seen.get(object)
    if (known) return known
    const made = first(object)
    seen.set(object, made)
    return made
  }
  const starts = from && found[from.fetch]?.[from.part]?.[from.path]
  if (starts) for (const start of starts) from.find(start, repeated ? once : first)
  else find(data, repeated ? once : first)
  return objects
}

/** Looks once for each part, when the first error asks. */
export function placesIn(data: JsonObject): Locate {
  const known = new Map<CompiledPart, Map<JsonObject, Path[]>>()
  return (part, objects) => {
    const places = known.get(part) ?? placesOf(data, part)
    known.set(part, places)
    return objects.flatMap((object) => places.get(object) ?? [])
  }
}

function placesOf(data: JsonObject, { part, isConcrete }: CompiledPart): Map<JsonObject, Path[]> {
  const places = new Map<JsonObject, Path[]>()
  let left = mostPlaces
  for (const path of part.paths)
    walk(data, path, isConcrete, 0, [], (object, trail) => {
      const paths = places.get(object)
      if (paths) paths.push([...trail])
      else places.set(object, [[...trail]])
      left -= 1
      return left > 0
    })
  return places
}

/** Until `visit` says no. `trail` is where it is. */
function walk(
  value: unknown,
  path: ObjectPath,
  isConcrete: IsConcrete,
  depth: number,
  trail: (string | number)[],
  visit: (object: JsonObject, trail: Path) => boolean,
): boolean {
  const step = path[depth]
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      trail.push(index)
      const goOn = walk(value[index], path, isConcrete, step === '@' ? depth + 1 : depth, trail, visit)
      trail.pop()
      if (!goOn) return false
    }
    return true
  }
  if (!isObject(value)) return true
  if (step === undefined) return visit(value, trail)
  const types = typesOf(step)
  if (types)
    return (
      !isOneOf(types, isConcrete)(value.__typename) || walk(value, path, isConcrete, depth + 1, trail, visit)
    )
  trail.push(step)
  const goOn = walk(own(value, step), path, isConcrete, depth + 1, trail, visit)
  trail.pop()
  return goOn
}
