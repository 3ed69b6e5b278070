/** From the root of the data to objects: response names, `@` for a list's elements, `... on A,B` for those of these types. */
export type ObjectPath = readonly string[]

const condition = '... on '

/** The planner's path: it begins with an empty name, and `name|[A,B]` is a name with the types of what is there. */
export function objectPath(path: readonly (string | number)[]): string[] {
  return path.flatMap((step) => {
    const [, name = '', types] = /^(.*?)(?:\|\[(.*)\])?$/.exec(String(step)) ?? []
    return [...(name === '' ? [] : [name]), ...(types ? [ofTypes(types.split(','))] : [])]
  })
}

/** The step that lets objects of these types pass. */
export const ofTypes = (types: readonly string[]): string => condition + types.join()

/** Names of the types that a step lets pass; null where it is no such step. */
export const typesOf = (step: string | undefined): readonly string[] | null =>
  step?.startsWith(condition) ? step.slice(condition.length).split(',') : null

export const withoutTypes = (path: ObjectPath): ObjectPath => path.filter((step) => typesOf(step) === null)

/** Whether what is at `path` is at or below what is at `prefix`. */
export const isWithin = (path: ObjectPath, prefix: ObjectPath): boolean =>
  prefix.length <= path.length && prefix.every((step, index) => step === path[index])

/** Whether something may be at `path` that is at or below what is at `prefix`. */
export const mayBeWithin = (path: ObjectPath, prefix: ObjectPath): boolean =>
  isWithin(withoutTypes(path), withoutTypes(prefix))
