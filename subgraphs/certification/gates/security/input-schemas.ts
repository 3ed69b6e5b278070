import { z } from 'zod'
import { type JsonSchema, SchemaError } from '../../../kit/json-schema.ts'
import { validatorOf } from '../schemas.ts'
import type { Weakness } from '../weakness.ts'
import { type RuleName, weakness } from './rules.ts'

type Node = { at: string; schema: JsonSchema; property: string; isBranch: boolean }

const maxNodes = 2_000

/** What inputs let callers do that the agent can't want. Of what reads code, code is what it is about. */
export function schemaWeaknesses(
  capabilities: readonly { name: string; input: JsonSchema }[],
  readsCode: ReadonlySet<string>,
): Weakness[] {
  return capabilities.flatMap(({ name, input }, index) => {
    const nodes = nodesOf(input, `/spec/capabilities/${index}/input`)
    if (!nodes)
      return [
        weakness('manifest-too-large', `/spec/capabilities/${index}/input`, `more than ${maxNodes} schemas`),
      ]
    return nodes.flatMap((node) =>
      brokenBy(node, readsCode.has(name)).map(([rule, seen]) => weakness(rule, node.at, seen)),
    )
  })
}

const object = z.record(z.string(), z.unknown())
const maps = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']
const singles = ['items', 'additionalProperties', 'contains', 'unevaluatedProperties', 'if', 'then', 'else']
const lists = ['anyOf', 'oneOf', 'allOf', 'prefixItems']

/** A schema and the schemas within it; null where there are too many. */
function nodesOf(root: JsonSchema, at: string): Node[] | null {
  const nodes: Node[] = [{ at, schema: root, property: '', isBranch: false }]
  const add = (value: unknown, pointer: string, property: string, isBranch: boolean) => {
    const read = object.safeParse(value)
    if (read.success) nodes.push({ at: pointer, schema: read.data, property, isBranch })
  }
  // It grows while it is gone through.
  for (const { at: place, schema, property } of nodes) {
    if (nodes.length > maxNodes) return null
    for (const keyword of maps)
      for (const [name, inner] of Object.entries(object.safeParse(schema[keyword]).data ?? {}))
        add(inner, `${place}/${keyword}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, name, false)
    for (const keyword of singles)
      add(schema[keyword], `${place}/${keyword}`, property, ['if', 'then', 'else'].includes(keyword))
    for (const keyword of lists)
      for (const [index, inner] of z.array(z.unknown()).safeParse(schema[keyword]).data?.entries() ?? [])
        add(inner, `${place}/${keyword}/${index}`, property, keyword !== 'prefixItems')
  }
  return nodes
}

const commands = new Set([
  'command',
  'commands',
  'cmd',
  'cmdline',
  'shell',
  'bash',
  'powershell',
  'script',
  'sql',
  'eval',
  'exec',
])
const program = /^(?:source|program|js|javascript|py|lua|ruby|php|wasm)?code$/
const addresses = new Set([
  'url',
  'uri',
  'urls',
  'uris',
  'href',
  'endpoint',
  'callback',
  'webhook',
  'host',
  'hostname',
])
const places = new Set(['path', 'file', 'filename', 'filepath', 'directory', 'folder'])
const credentials =
  /^(?:(?:user|admin|root|db|database)?(?:password|passwd|passphrase)|(?:client)?secret|(?:api|secret|access|private|signing|ssh)key|(?:access|session|refresh)token|credentials?)$/

function brokenBy({ schema, property, isBranch }: Node, readsCode: boolean): [RuleName, string][] {
  if (schema.enum !== undefined || schema.const !== undefined) return []
  const types = [schema.type].flat().filter((one) => typeof one === 'string')
  const broken: [RuleName, string][] = []
  const isReferring = ['$ref', '$dynamicRef', ...lists].some((keyword) => keyword in schema)
  if (types.length === 0 && !isReferring && !isBranch && schema.properties === undefined)
    broken.push(['any-value', `${property || 'the input'} takes anything`])
  if (types.includes('object') && isOpen(schema) && !isBranch)
    broken.push(['open-object', `${property || 'the input'} takes fields that nobody named`])
  if (types.includes('array') && schema.maxItems === undefined)
    broken.push(['unbounded-list', `${property || 'the input'} has no maxItems`])
  if (!types.includes('string')) return broken
  if (schema.maxLength === undefined && schema.format === undefined && schema.pattern === undefined)
    broken.push(['unbounded-text', `${property || 'the input'} has no maxLength`])
  const named = powerOf(property, readsCode)
  if (named === 'asks-for-credentials' || (named !== null && !isBounded(schema, named)))
    broken.push([named, `${property} is any text`])
  return broken
}

const isOpen = ({ additionalProperties, unevaluatedProperties, propertyNames }: JsonSchema) =>
  (additionalProperties ?? true) === true && unevaluatedProperties !== false && propertyNames === undefined

type Power = 'runs-what-it-is-given' | 'free-address' | 'asks-for-credentials'

function powerOf(property: string, readsCode: boolean): Power | null {
  const parts = property.split(/[^A-Za-z\d]+|(?<=[a-z\d])(?=[A-Z])/).map((part) => part.toLowerCase())
  const whole = parts.join('')
  if (credentials.test(whole)) return 'asks-for-credentials'
  // What is told about one, as its id or its length, is none.
  const last = parts.at(-1) ?? ''
  if (program.test(whole)) return readsCode ? null : 'runs-what-it-is-given'
  if (commands.has(last) || (parts.some((part) => commands.has(part)) && isText(last)))
    return 'runs-what-it-is-given'
  return addresses.has(last) || places.has(last) ? 'free-address' : null
}

const isText = (part: string) =>
  /^(?:text|body|source|string|line|input|content|statement|query|script|template)$/.test(part)

const hostile = {
  'runs-what-it-is-given': ['; rm -rf /', '$(curl x)', "' or 1=1 --", 'import os'],
  'free-address': ['http://127.0.0.1/', 'file:///etc/passwd', '../../etc/passwd', '/etc/passwd'],
}

/** Whether it says which texts it takes, and they are not these. */
function isBounded(schema: JsonSchema, power: keyof typeof hostile): boolean {
  const { pattern, format } = schema
  if (typeof format === 'string' && !/^(?:uri|url|iri|uri-reference)$/.test(format)) return true
  if (typeof pattern !== 'string') return false
  try {
    const { violation } = validatorOf({ type: 'string', pattern })
    return hostile[power].every((text) => violation(text) !== null)
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return false
  }
}
