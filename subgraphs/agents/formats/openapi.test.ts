import { expect, test } from 'vitest'
import { violations } from '../../kit/json-schema.ts'
import { documentReader } from './read.ts'

const { one } = documentReader()

const notes = `openapi: 3.0.3
info: { title: Note Keeper, version: "2.1", description: Keeps notes., license: { name: MIT } }
servers: [{ url: https://notes.example/v2 }]
security: [{ token: [] }]
paths:
  /notes:
    post:
      operationId: addNote
      summary: Adds a note.
      requestBody: { $ref: '#/components/requestBodies/Note' }
      responses:
        "201": { description: added, content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } }
        default: { description: no, content: { application/json: { schema: { type: string } } } }
  /notes/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer }, description: Of the note. }
    get:
      parameters: [{ $ref: '#/components/parameters/Lang' }]
      responses:
        "200": { description: here, content: { application/json; charset=utf-8: { schema: { $ref: '#/components/schemas/Note' } } } }
        "206": { description: part, content: { application/json: { schema: { type: string, nullable: true } } } }
      callbacks: { seen: { $ref: "#/components/callbacks/seen" } }
    put:
      operationId: replaceNote
      requestBody: { required: true, content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } }
      responses: { "204": { description: done } }
components:
  parameters:
    Lang: { name: lang, in: query, schema: { type: string, enum: [de, en] } }
  requestBodies:
    Note: { content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } }
  schemas:
    Note:
      type: object
      required: [text]
      properties:
        text: { type: string }
        replies: { type: array, items: { $ref: '#/components/schemas/Note' } }
    Unused: { type: string }
  securitySchemes:
    token: { type: http, scheme: bearer }
x-team: platform
`

test('each operation of an HTTP API is a capability with schemas that stand for themselves', () => {
  const { name, version, type, subtype, endpoint, capabilities, reading } = one(notes)
  expect({ name, version, type, subtype, endpoint }).toEqual({
    name: 'note-keeper',
    version: '2.1.0',
    type: 'INTEGRATOR',
    subtype: 'integrator.openapi',
    endpoint: null,
  })
  expect(reading).toMatchObject({
    format: 'openapi/3.0.3',
    notUnderstood: ['/paths/~1notes~1{id}/get/callbacks', '/x-team'],
  })
  expect(capabilities.map((each) => [each.name, each.description])).toEqual([
    ['addNote', 'Adds a note.'],
    ['get-notes-id', 'get notes id'],
    ['replaceNote', 'replaceNote'],
  ])
  const [add, get, replace] = capabilities
  const note = { text: 'a', replies: [{ text: 'b' }] }
  expect(violations(add!.input, note)).toEqual([])
  expect(violations(add!.input, { text: 'a', replies: [{}] })).not.toEqual([])
  expect(Object.keys(add!.input.$defs as object)).toEqual(['Note'])
  expect(get!.input).toEqual({
    type: 'object',
    properties: {
      id: { type: 'integer', description: 'Of the note.' },
      lang: { type: 'string', enum: ['de', 'en'] },
    },
    required: ['id'],
  })
  // Any of its successful answers.
  expect([note, null, 'half'].flatMap((answer) => violations(get!.output, answer))).toEqual([])
  expect(violations(get!.output, { text: 1 })).not.toEqual([])
  expect(violations(replace!.input, { id: 1, body: note })).toEqual([])
  expect(violations(replace!.input, { id: 1 })).not.toEqual([])
  expect(replace!.output).toEqual({})
})

test('Swagger 2.0 is read as well', () => {
  const { capabilities, reading } = one(
    JSON.stringify({
      swagger: '2.0',
      info: { title: 'pets', version: '1.0.0' },
      host: 'pets.example',
      consumes: ['application/json'],
      produces: ['application/json'],
      paths: {
        '/pets': {
          post: {
            operationId: 'addPet',
            description: 'Adds a pet.',
            parameters: [{ in: 'body', name: 'pet', schema: { $ref: '#/definitions/Pet' } }],
            responses: { 200: { description: 'added', schema: { $ref: '#/definitions/Pet' } } },
          },
        },
      },
      definitions: { Pet: { type: 'object', properties: { name: { type: 'string' } } } },
    }),
  )
  expect(reading).toMatchObject({ format: 'openapi/2.0', notUnderstood: [] })
  const [add] = capabilities
  for (const schema of [add!.input, add!.output]) {
    expect(violations(schema, { name: 'Rex' })).toEqual([])
    expect(violations(schema, { name: 1 })).not.toEqual([])
  }
})

test.each([
  ['references in a circle', { $ref: '#/components/parameters/A' }],
  ['a reference to a file', { $ref: 'file:///etc/passwd' }],
  ['a reference that is none', { $ref: '#/%E0%A4%A' }],
  ['a parameter named after the prototype', { name: '__proto__', in: 'query', schema: { type: 'string' } }],
  ['no parameter at all', null],
])('%s makes no harm', (_, parameter) => {
  const document = {
    openapi: '3.1.0',
    info: { title: 'hostile', version: '1.0.0' },
    paths: {
      '/a': { get: { parameters: [parameter], responses: 'none' } },
      '/b': null,
      '/c': { $ref: '#/paths/~1c' },
    },
    components: { parameters: { A: { $ref: '#/components/parameters/A' } }, schemas: [] },
  }
  expect(one(JSON.stringify(document)).capabilities).toMatchObject([{ name: 'get-a', output: {} }])
})
