/** A supergraph that shows one rule, and what clients must get of it. */
export type Fixture = {
  subgraphs: Record<string, Subgraph>
  cases: Record<string, Case>
  /** The one that composes them right, where the other refuses or forgets something. */
  composer?: Composer
}

type Composer = 'apollo' | 'guild'

export type Subgraph = {
  /** Federation 1 has no `@link`; for Federation 2 one with all directives is added. */
  federation?: 1
  sdl: string
  /** The entities that it knows, by type. A type without rows resolves no reference. */
  rows?: Record<string, readonly Row[]>
  resolvers?: Record<string, Record<string, Resolver>>
}

export type Row = { [field: string]: unknown }

// biome-ignore lint/suspicious/noExplicitAny: the SDL beside it says what they are
type Resolver = (parent: any, args: any) => unknown // oxlint-disable-line typescript/no-explicit-any

type Case = {
  query: string
  variables?: Record<string, unknown>
  /** `errors` is whether there are any; a request that is refused has no data. */
  expected: { data: unknown; errors?: true }
  /** Where our errors are: subgraphs' error paths mean nothing to a client. */
  errorPaths?: (string | number)[][]
  /** The subgraphs that ours asks, one name a fetch, in alphabetical order. */
  fetches?: string[]
}

const provided = Symbol('provided')

/** An object with what a `@provides` promises: only then a subgraph answers fields that are external to it. */
export function provide<T>(value: T): T {
  if (Array.isArray(value)) return value.map(provide) as T
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, provide(each)]))
  return { ...copy, [provided]: true } as T
}

export const isProvided = (value: object): boolean => provided in value
