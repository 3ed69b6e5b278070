import { upgrade } from '@scalar/openapi-upgrader'
import { decoded } from '../../kit/schema-refs.ts'
import { type Declared, type Draft, declaredCapabilities, nameOf, versionOf, wordsOf } from './draft.ts'
import { anything, type Fields, flag, list, map, object, record, text } from './shape.ts'

const media = list(text)

const operation = record({
  operationId: text,
  summary: text,
  description: text,
  tags: list(text),
  parameters: list(object),
  requestBody: object,
  responses: map(object),
  security: list(object),
  deprecated: flag,
  servers: list(object),
  externalDocs: object,
  consumes: media,
  produces: media,
  schemes: list(text),
})

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const

const shape = record({
  openapi: text,
  swagger: text,
  jsonSchemaDialect: text,
  info: record({
    title: text,
    version: text,
    summary: text,
    description: text,
    termsOfService: text,
    contact: object,
    license: object,
  }),
  servers: list(object),
  host: text,
  basePath: text,
  schemes: list(text),
  consumes: media,
  produces: media,
  paths: map(
    record({
      $ref: text,
      summary: text,
      description: text,
      parameters: list(object),
      servers: list(object),
      ...Object.fromEntries(methods.map((method) => [method, operation])),
    }),
  ),
  components: record({
    schemas: map(object),
    parameters: map(object),
    requestBodies: map(object),
    responses: map(object),
    securitySchemes: map(object),
    pathItems: map(object),
    headers: map(object),
    examples: map(anything),
  }),
  definitions: map(object),
  parameters: map(object),
  responses: map(object),
  securityDefinitions: map(object),
  security: list(object),
  tags: list(object),
  externalDocs: object,
})

/**
 * An HTTP API, as OpenAPI 3.1, 3.0 or Swagger 2.0 describes it: each operation is a capability. It takes the request's body
 * where there are no parameters, the parameters by their names where there is no body, otherwise these and `body`; it
 * answers what the successful responses have as JSON.
 */
export function readOpenApi(document: Fields, understood: Set<string>): Draft {
  const profile = shape(document, '', understood) ?? {}
  const { info = {} } = profile
  const remarks = ['type: INTEGRATOR, since it connects a system']
  return {
    format: `openapi/${profile.openapi ?? profile.swagger ?? ''}`,
    name: nameOf(info.title, remarks),
    version: versionOf(info.version, remarks),
    description: info.description ?? info.summary ?? info.title ?? '',
    labels: {},
    type: 'INTEGRATOR',
    subtype: 'integrator.openapi',
    endpoint: null,
    capabilities: declaredCapabilities(operationsOf(document), remarks),
    profile,
    remarks,
  }
}

function operationsOf(document: Fields): Declared[] {
  // It changes what it is given.
  const api = upgrade(structuredClone(document), '3.1') as Fields
  const resolve = resolverOf(api)
  return Object.entries(fieldsOf(api.paths)).flatMap(([path, given]) => {
    const item = resolve(given)
    return methods.flatMap((method) => {
      if (!isFields(item[method])) return []
      const said = item[method]
      const { operationId, summary, description } = said
      return {
        name: stringIn(operationId) ?? wordsOf(`${method} ${path}`)[0],
        description: stringIn(description) ?? stringIn(summary),
        input: selfContained(inputOf(item, said, resolve), api),
        output: selfContained(outputOf(said, resolve), api),
        examples: [],
      }
    })
  })
}

type Resolve = (value: unknown) => Fields

function inputOf(item: Fields, said: Fields, resolve: Resolve): Fields | undefined {
  const parameters = new Map<string, Fields>()
  // Those of the operation stand for those of its path.
  for (const given of [...listOf(item.parameters), ...listOf(said.parameters)]) {
    const parameter = resolve(given)
    const name = stringIn(parameter.name)
    if (name !== undefined) parameters.set(name, parameter)
  }
  const body = resolve(said.requestBody)
  const bodySchema = jsonSchemaOf(body)
  if (parameters.size === 0) return bodySchema
  const entries = [...parameters].map(([name, parameter]) => [name, parameterSchema(parameter)] as const)
  const required = [...parameters].filter(([, { required: isRequired }]) => isRequired === true)
  return {
    type: 'object',
    properties: Object.fromEntries(bodySchema ? [...entries, ['body', bodySchema]] : entries),
    required: [...required.map(([name]) => name), ...(bodySchema && body.required === true ? ['body'] : [])],
  }
}

function parameterSchema(parameter: Fields): Fields {
  const { description } = parameter
  const schema = fieldsOf(parameter.schema ?? jsonSchemaOf(parameter))
  return typeof description === 'string' && schema.description === undefined && schema.$ref === undefined
    ? { ...schema, description }
    : schema
}

function outputOf(said: Fields, resolve: Resolve): Fields | undefined {
  const good = Object.entries(fieldsOf(said.responses)).filter(([status]) => /^2(\d\d|XX)$/i.test(status))
  const schemas = good
    .map(([, response]) => jsonSchemaOf(resolve(response)))
    .filter((schema) => schema !== undefined)
  return schemas.length > 1 ? { anyOf: schemas } : schemas[0]
}

const isJson = (mediaType: string) =>
  /^(application\/([^;]+\+)?json|\*\/\*|application\/\*)\b/i.test(mediaType)

/** What its content is as JSON; undefined where it is none. */
function jsonSchemaOf({ content }: Fields): Fields | undefined {
  const [, found] = Object.entries(fieldsOf(content)).find(([mediaType]) => isJson(mediaType)) ?? []
  return isFields(found) ? fieldsOf(found.schema) : undefined
}

const components = '#/components/schemas/'
const inSchema = (name: string) => `#/$defs/${name}`

/** With what it refers to: a capability's schema stands for itself. */
function selfContained(schema: Fields | undefined, api: Fields): Fields | undefined {
  if (schema === undefined) return undefined
  const all = fieldsOf(fieldsOf(api.components).schemas)
  const taken = new Map<string, unknown>()
  const waiting: string[] = []
  const moved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(moved)
    if (!isFields(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, part]) => {
        if (name !== '$ref' || typeof part !== 'string' || !part.startsWith(components))
          return [name, moved(part)]
        const [target = ''] = part.slice(components.length).split('/')
        waiting.push(target)
        return [name, inSchema(part.slice(components.length))]
      }),
    )
  }
  const own = moved(schema) as Fields
  for (let target = waiting.pop(); target !== undefined; target = waiting.pop()) {
    const name = decoded(target)
    if (taken.has(name) || !Object.hasOwn(all, name)) continue
    taken.set(name, null)
    taken.set(name, moved(all[name]))
  }
  return taken.size === 0 ? own : { ...own, $defs: Object.fromEntries(taken) }
}

const longestChain = 20

/** What a reference within the document leads to; nothing from elsewhere is read. */
function resolverOf(api: Fields): Resolve {
  return (given) => {
    let value = given
    for (let steps = 0; isFields(value) && typeof value.$ref === 'string'; steps++) {
      if (steps === longestChain || !value.$ref.startsWith('#/')) return {}
      const path = value.$ref.slice(2).split('/').map(decoded)
      value = path.reduce<unknown>(
        (at, name) => (isFields(at) && Object.hasOwn(at, name) ? at[name] : null),
        api,
      )
    }
    return fieldsOf(value)
  }
}

const stringIn = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
