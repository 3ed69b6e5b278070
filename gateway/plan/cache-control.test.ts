import { buildASTSchema, parse } from 'graphql'
import { expect, test } from 'vitest'
import { cacheHints, cachePolicy } from './cache-control.ts'

const document = parse(`
  directive @cacheControl(maxAge: Int, scope: CacheControlScope, inheritMaxAge: Boolean) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
  enum CacheControlScope { PUBLIC PRIVATE }
  type Query {
    plain: String
    brief: String @cacheControl(maxAge: 5)
    book: Book
    books: [Book] @cacheControl(maxAge: 30)
    reader: Reader @cacheControl(maxAge: 60)
    thing: Thing
    shelf: Shelf
    any: Any
  }
  interface Thing @cacheControl(maxAge: 20) { id: ID }
  type Book implements Thing @cacheControl(maxAge: 100) {
    id: ID title: String @cacheControl(maxAge: 50) author: Author cover: Cover @cacheControl(inheritMaxAge: true)
  }
  type Author { name: String }
  type Cover { url: String }
  type Reader { name: String mail: String @cacheControl(scope: PRIVATE) }
  type Shelf @cacheControl(maxAge: 70) @cacheControl(maxAge: 10, scope: PRIVATE) { id: ID }
  union Any @cacheControl(maxAge: 40) = Book | Cover
`)
const schema = buildASTSchema(document, { assumeValid: true, assumeValidSDL: true })
const hints = cacheHints(document)

const policy = (maxAgeS: number, isPrivate = false) => ({ maxAgeS, isPrivate })

test.each([
  ['a root field without a hint may not be kept', '{ plain }', policy(0)],
  ['a root field with one may', '{ brief }', policy(5)],
  ["a type's hint holds for fields of the type", '{ book { id } }', policy(100)],
  ["a field's own hint goes before its type's", '{ books { id } }', policy(30)],
  ['the strictest counts', '{ book { id title } brief }', policy(5)],
  ['an object without a hint may not be kept', '{ book { id author { name } } }', policy(0)],
  ['unless it inherits', '{ book { cover { url } } }', policy(100)],
  ['what one field keeps private is private', '{ reader { name mail } }', policy(60, true)],
  ['and not otherwise', '{ reader { name } }', policy(60)],
  ['interfaces have hints', '{ thing { id ... on Book { title } } }', policy(20)],
  ['unions have hints', '{ any { __typename ... on Book { id } } }', policy(40)],
  ['of several hints the strictest counts', '{ shelf { id } }', policy(10, true)],
  [
    'entities go by their type',
    'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Book { title } } }',
    policy(50),
  ],
  [
    'by each of their types',
    'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Book { id } ... on Author { name } } }',
    policy(0),
  ],
  ['what the schema does not know may not be kept', '{ brief other }', policy(0)],
])('%s', (_what, text, expected) => {
  expect(hints && cachePolicy(hints, schema, text)).toEqual(expected)
})

test('a supergraph without the directive says nothing', () => {
  expect(cacheHints(parse('type Query { a: Int @deprecated }'))).toBeNull()
})
