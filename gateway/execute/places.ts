import type { CompiledPart, Route } from './compile.ts'
import { isObject, type JsonObject, own } from './merge.ts'

export type Path = readonly (string | number)[]

/** Objects that were at a path when its fetch began, by fetch, part and path; none of a fetch that was passed over. */
export type Stations = JsonObject[][][][]

/** Where in the answer objects of a part are, as far as that is looked for. */
export type Locate = (part: CompiledPart, objects: readonly JsonObject[]) => Path[]

// Shared objects may have places without end.
const mostPlaces = 10_000

/** Objects at a path, `@` being all elements of a list; what is null or absent is not among them. */
export function objectsAt(data: JsonObject, { path, from }: Route, stations: Stations): JsonObject[] {
  const objects: JsonObject[] = []
  const visit = (object: JsonObject) => {
    objects.push(object)
    return true
  }
  const starts = from && stations[from.fetch]?.[from.part]?.[from.path]
  if (!starts) {
    walk(data, path, 0, null, visit)
    return objects
  }
  for (const start of starts) walk(start, from.steps, 0, null, visit)
  // What hangs below an entity may hang below several of these objects.
  return [...new Set(objects)]
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

function placesOf(data: JsonObject, { part }: CompiledPart): Map<JsonObject, Path[]> {
  const places = new Map<JsonObject, Path[]>()
  let left = mostPlaces
  for (const path of part.paths)
    walk(data, path, 0, [], (object, trail) => {
      const paths = places.get(object)
      if (paths) paths.push([...trail])
      else places.set(object, [[...trail]])
      left -= 1
      return left > 0
    })
  return places
}

/** Until `visit` says no. `trail` is where it is; null where nobody wants to know. */
function walk(
  value: unknown,
  path: readonly string[],
  depth: number,
  trail: (string | number)[] | null,
  visit: (object: JsonObject, trail: Path) => boolean,
): boolean {
  const step = path[depth]
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      trail?.push(index)
      const goOn = walk(value[index], path, step === '@' ? depth + 1 : depth, trail, visit)
      trail?.pop()
      if (!goOn) return false
    }
    return true
  }
  if (!isObject(value)) return true
  if (step === undefined) return visit(value, trail ?? [])
  trail?.push(step)
  const goOn = walk(own(value, step), path, depth + 1, trail, visit)
  trail?.pop()
  return goOn
}
