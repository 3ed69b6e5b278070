import { type IsConcrete, type JsonObject, mergeField, own } from './merge.ts'
import { createProgram, isInherited, literal, reading } from './program.ts'

/** Merges what was asked for, and nothing else, of what a subgraph answered into each of the targets. */
export type Receive = (source: JsonObject, targets: readonly JsonObject[]) => void

/** Made for the response names that were asked for. */
export function receiver(names: readonly string[], isConcrete: IsConcrete): Receive {
  const program = createProgram()
  const merge = program.refer((target: JsonObject, name: string, value: unknown) =>
    mergeField(target, name, value, isConcrete),
  )
  const reads = names.map((name, index) => `const a${index}=${reading('source', name)};`)
  const writes = names.map((name, index) => {
    const merged = `${merge}(target,${literal(name)},a${index})`
    if (isInherited(name)) return `if(a${index}!==undefined)${merged};`
    const place = `target[${literal(name)}]`
    return `if(a${index}!==undefined){if(${place}===undefined)${place}=a${index};else ${merged}}`
  })
  return program.link(
    program.define(
      'source,targets',
      `${reads.join('')}const typename=source.__typename;for(let i=0;i<targets.length;i++){const target=targets[i];${writes.join('')}
      if(typename!==undefined&&typename!==target.__typename)${merge}(target,"__typename",typename)}`,
    ),
  )
}

/** The same for what is asked once, for which making a function would take longer than calling it. */
export function receiveOnce(names: readonly string[], isConcrete: IsConcrete): Receive {
  return (source, targets) => {
    for (const name of [...names, '__typename']) {
      const value = own(source, name)
      if (value !== undefined) for (const target of targets) mergeField(target, name, value, isConcrete)
    }
  }
}
