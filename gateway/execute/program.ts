import { own } from './merge.ts'

/**
 * Functions that are made as text for one operation, so that each knows the names it reads: V8 then sees objects of one
 * shape where a general function sees all that there are.
 */
export type Program = {
  /** Adds a function; answers its name, which a body that calls itself is told. */
  define(parameters: string, body: string | ((self: string) => string)): string
  /** The name by which the program's functions refer to the value. */
  refer(value: unknown): string
  /** The function of that name. To be called when all are defined. */
  link<F>(name: string): F
}

export function createProgram(): Program {
  const functions: string[] = []
  const values: unknown[] = [own, quoted]
  const names = ['own', 'quoted']
  return {
    define(parameters, body) {
      const name = `f${functions.length}`
      functions.push(`function ${name}(${parameters}){${typeof body === 'string' ? body : body(name)}}`)
      return name
    },
    refer(value) {
      const name = `v${values.length}`
      values.push(value)
      names.push(name)
      return name
    },
    link(name) {
      // oxlint-disable-next-line no-implied-eval, typescript/no-implied-eval -- of what clients send only names get in, by `literal`
      return new Function(...names, `"use strict";${functions.join('\n')}\nreturn ${name}`)(
        ...values,
      ) as never
    },
  }
}

const graphqlName = /^[_A-Za-z][_0-9A-Za-z]*$/

/** A name as it stands in a program. Throws where it is none of GraphQL's. */
export function literal(name: string): string {
  if (!graphqlName.test(name)) throw new Error(`no name of GraphQL: ${JSON.stringify(name)}`)
  return `"${name}"`
}

/** Reads an object's own value; never what its prototype has under that name. */
export const reading = (object: string, name: string): string =>
  isInherited(name) ? `own(${object},${literal(name)})` : `${object}[${literal(name)}]`

/** Whether every object has something of that name. */
export const isInherited = (name: string): boolean => name in Object.prototype

/** Whether `value`, a name in a program, is what JSON calls an object. */
export const isObjectText = (value: string): string =>
  `typeof ${value}==="object"&&${value}!==null&&!Array.isArray(${value})`

// Quotes, backslashes, control characters, and halves of surrogate pairs.
const escaped = /[^ !#-[\]-\ud7ff\ue000-\uffff]/

/** As JSON.stringify, which takes twice as long for a string that is what it looks like. */
export const quoted = (text: string): string => (escaped.test(text) ? JSON.stringify(text) : `"${text}"`)
