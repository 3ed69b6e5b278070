import { z } from 'zod'
import type { JsonSchema } from '../../../kit/json-schema.ts'

/** Steps from the input to a value within it. */
export type Place = readonly (string | number)[]

const object = z.record(z.string(), z.unknown())
const maxDepth = 8
const maxPlaces = 6
const addressName =
  /(?:^|[^a-z])(?:ur[il]s?|href|links?|endpoints?|callbacks?|web-?hooks?|hosts?|origin|feed|addresse?s?|site|website)$/i

/** Where an input takes an address: by its schema's formats and names, or where the example has one. */
export function addressPlaces(schema: JsonSchema, example: unknown): Place[] {
  const found = [...inSchema(schema, [], 0), ...inExample(example, [], 0)]
  return [...new Map(found.map((place) => [JSON.stringify(place), place])).values()].slice(0, maxPlaces)
}

function inSchema(schema: JsonSchema, place: Place, depth: number): Place[] {
  if (depth > maxDepth) return []
  const within = (value: unknown, step?: string | number): Place[] => {
    const read = object.safeParse(value)
    return read.success ? inSchema(read.data, step === undefined ? place : [...place, step], depth + 1) : []
  }
  const types = [schema.type].flat()
  const name = place.findLast((step) => typeof step === 'string') ?? ''
  const words = name.replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, '-')
  const isAddress =
    /^(?:uri|url|iri)(?:-reference)?$/.test(String(schema.format)) ||
    (addressName.test(words) && schema.enum === undefined && schema.const === undefined)
  return [
    ...(types.includes('string') && isAddress ? [place] : []),
    ...Object.entries(object.safeParse(schema.properties).data ?? {}).flatMap(([key, inner]) =>
      within(inner, key),
    ),
    ...within(schema.items, 0),
    ...['anyOf', 'oneOf', 'allOf'].flatMap((keyword) =>
      [schema[keyword]].flat().flatMap((branch) => within(branch)),
    ),
  ]
}

function inExample(value: unknown, place: Place, depth: number): Place[] {
  if (depth > maxDepth) return []
  if (typeof value === 'string') return /^https?:\/\/\S+$/i.test(value) ? [place] : []
  if (typeof value !== 'object' || value === null) return []
  const isList = Array.isArray(value)
  return Object.entries(value).flatMap(([key, inner]) =>
    inExample(inner, [...place, isList ? Number(key) : key], depth + 1),
  )
}

/** The input with a value at a place; what is missing on the way there is made. */
export function withValue(input: unknown, [step, ...rest]: Place, value: unknown): unknown {
  if (step === undefined) return value
  if (typeof step === 'number') {
    const list: unknown[] = Array.isArray(input) ? [...input] : []
    list[step] = withValue(list[step], rest, value)
    return list
  }
  const fields = object.safeParse(input).data ?? {}
  return { ...fields, [step]: withValue(fields[step], rest, value) }
}
