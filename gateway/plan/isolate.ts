import { type DocumentNode, Kind, visit } from 'graphql'
import type { NameTraits } from './supergraph.ts'

const prefix = '_client__'
const privatePrefix = /^_(?:client|required\d+)__/

/**
 * Gives client fields a private response key where the planner would confuse them with fields it adds by itself:
 * `{ product { id: name } }` would answer the alias as the key. `clientName` maps back, in the answer and in error
 * paths, also from the names that required.ts gives.
 */
export function isolate(document: DocumentNode, traits: NameTraits): DocumentNode {
  const names = new Set<string>()
  visit(document, {
    Field({ alias, name }) {
      if (name.value.startsWith('__')) return false
      const responseName = alias?.value ?? name.value
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
        return { ...node, alias: { kind: Kind.NAME, value: prefix + responseName } }
      },
    },
  })
}

export const clientName = (responseName: string): string => responseName.replace(privatePrefix, '')
