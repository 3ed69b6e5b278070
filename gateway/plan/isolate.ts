import { type DocumentNode, type FieldNode, Kind, print, visit } from 'graphql'
import type { NameTraits } from './supergraph.ts'

const privatePrefix = /^_(?:client|required|anchor)\d*__/

/**
 * Gives client fields a private response key where the planner would confuse them with each other, or with fields it adds
 * by itself: `{ product { id: name } }` would answer the alias as the key. `clientName` maps back, in the answer and in
 * error paths, also from the names that required.ts gives.
 */
export function isolate(document: DocumentNode, traits: NameTraits): DocumentNode {
  const names = new Set<string>()
  // What is asked under a name, numbered.
  const asked = new Map<string, Map<string, number>>()
  visit(document, {
    Field(node) {
      const { alias, name } = node
      if (name.value.startsWith('__')) return false
      const responseName = alias?.value ?? name.value
      const fields = asked.get(responseName) ?? new Map<string, number>()
      asked.set(responseName, fields)
      const field = fieldOf(node)
      if (!fields.has(field)) fields.set(field, fields.size)
      // On types that exclude each other both may be asked of one object, which the planner fetches for both.
      if (fields.size > 1) names.add(responseName)
      // Every object has something under these names.
      const isInherited = responseName in Object.prototype
      const shadowsField = alias && alias.value !== name.value && traits.fieldNames.has(alias.value)
      if (isInherited || shadowsField || privatePrefix.test(responseName)) names.add(responseName)
      return undefined
    },
  })
  if (names.size === 0) return document
  return visit(document, {
    Field: {
      enter: ({ name }) => (name.value.startsWith('__') ? false : undefined),
      leave(node) {
        const responseName = node.alias?.value ?? node.name.value
        if (!names.has(responseName)) return undefined
        const fields = asked.get(responseName)
        const number = fields && fields.size > 1 ? fields.get(fieldOf(node)) : ''
        return { ...node, alias: { kind: Kind.NAME, value: `_client${number}__${responseName}` } }
      },
    },
  })
}

const fieldOf = ({ name, arguments: given = [] }: FieldNode): string =>
  [name.value, ...given.map(print).toSorted()].join()

export const clientName = (responseName: string): string => responseName.replace(privatePrefix, '')
