import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kind, parse } from 'graphql'
import { expect, test } from 'vitest'
import { breakingChanges, composeSupergraph, subgraphNames } from './compose.ts'

const sdlOf = (name: string) => readFileSync(join(import.meta.dirname, `${name}.graphql`), 'utf8')
const supergraph = readFileSync(join(import.meta.dirname, 'supergraph.graphql'), 'utf8')

test('the committed supergraph is what the five subgraphs compose to', () => {
  expect(composeSupergraph()).toBe(supergraph)
})

test('every subgraph adds to Agent', () => {
  expect(subgraphNames.filter((name) => /^type Agent @key/m.test(sdlOf(name)))).toEqual([...subgraphNames])
})

test('every type, field and enum value is described', () => {
  expect(
    subgraphNames.flatMap((name) => undescribedIn(sdlOf(name)).map((what) => `${name}: ${what}`)),
  ).toEqual([])
})

test('a removed field is a breaking change, an added one is not', () => {
  const without = supergraph.replace(/^ {2}"""When the last heartbeat came\."""\n.*\n/m, '')
  expect(breakingChanges(supergraph, without)).toEqual(['Agent.lastHeartbeatAt was removed.'])
  expect(breakingChanges(without, supergraph)).toEqual([])
})

function undescribedIn(sdl: string): string[] {
  return parse(sdl).definitions.flatMap((definition) => {
    switch (definition.kind) {
      case Kind.OBJECT_TYPE_DEFINITION:
      case Kind.INTERFACE_TYPE_DEFINITION:
      case Kind.INPUT_OBJECT_TYPE_DEFINITION:
        return bare(definition, definition.fields)
      case Kind.ENUM_TYPE_DEFINITION:
        return bare(definition, definition.values)
      case Kind.SCALAR_TYPE_DEFINITION:
      case Kind.UNION_TYPE_DEFINITION:
      case Kind.DIRECTIVE_DEFINITION:
        return bare(definition)
      default:
        return []
    }
  })
}

type Described = { name: { value: string }; description?: unknown }

const bare = (type: Described, members: readonly Described[] = []): string[] => [
  ...(type.description ? [] : [type.name.value]),
  ...members.flatMap((member) => (member.description ? [] : `${type.name.value}.${member.name.value}`)),
]
