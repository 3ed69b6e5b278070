import type { Fixture } from './fixture.ts'

const listings = [
  { id: 'l1', price: 699.99, isDear: true, stars: 5, tag: 'new' },
  { id: 'l2', price: 9.99, isDear: false, stars: 1, tag: 'old' },
]
const brought = ({ isDear }: { isDear?: boolean }) => {
  if (typeof isDear !== 'boolean') throw new Error('isDear was not brought')
  return true
}
const never = () => {
  throw new Error('this must not be asked')
}

/** `@include` and `@skip`, by values and by variables with defaults, on fields that take other subgraphs to answer. */
export const includeAndSkip: Fixture = {
  subgraphs: {
    shop: {
      sdl: `type Query { listing: Listing listings: [Listing!]! other: Listing }
        type Listing @key(fields: "id") { id: ID! price: Float! }`,
      rows: { Listing: listings },
      resolvers: { Query: { listing: () => listings[0], listings: () => listings, other: never } },
    },
    judge: {
      sdl: `type Listing @key(fields: "id") { id: ID! price: Float! @external isDear: Boolean! @requires(fields: "price") }`,
      rows: { Listing: listings },
      resolvers: { Listing: { isDear: ({ price }) => price > 500 } },
    },
    flags: {
      sdl: `type Listing @key(fields: "id") { id: ID! isDear: Boolean! @external
        included: Boolean! @requires(fields: "isDear") skipped: Boolean! @requires(fields: "isDear")
        neverIncluded: Boolean! @requires(fields: "isDear") neverSkipped: Boolean! @requires(fields: "isDear") }`,
      rows: { Listing: listings },
      resolvers: {
        Listing: { included: brought, skipped: brought, neverIncluded: never, neverSkipped: never },
      },
    },
    ratings: {
      sdl: `type Listing @key(fields: "id") { id: ID! stars: Int tag: String best: Review worst: Review }
        type Review { text: String }`,
      rows: { Listing: listings },
      resolvers: { Listing: { best: () => ({ text: 'good' }), worst: () => null } },
    },
  },
  cases: {
    'not included by default': {
      query: 'query ($yes: Boolean = false) { listing { price neverIncluded @include(if: $yes) } }',
      expected: { data: { listing: { price: 699.99 } } },
      fetches: ['shop'],
    },
    'skipped by default': {
      query: 'query ($yes: Boolean = true) { listing { price neverSkipped @skip(if: $yes) } }',
      expected: { data: { listing: { price: 699.99 } } },
      fetches: ['shop'],
    },
    'included by default': {
      query: 'query ($yes: Boolean = true) { listing { price included @include(if: $yes) } }',
      expected: { data: { listing: { price: 699.99, included: true } } },
      fetches: ['flags', 'judge', 'shop'],
    },
    'not skipped by default': {
      query: 'query ($yes: Boolean = false) { listing { price skipped @skip(if: $yes) } }',
      expected: { data: { listing: { price: 699.99, skipped: true } } },
    },
    'a variable against its default': {
      query:
        'query ($yes: Boolean = true) { listing { skipped @skip(if: $yes) included @include(if: $yes) } }',
      variables: { yes: false },
      expected: { data: { listing: { skipped: true } } },
    },
    'by values': {
      query:
        '{ listing { neverIncluded @include(if: false) neverSkipped @skip(if: true) id @include(if: true) } }',
      expected: { data: { listing: { id: 'l1' } } },
      fetches: ['shop'],
    },
    'all that is below a field': {
      query: 'query ($no: Boolean = false) { listing { neverIncluded @include(if: $no) } }',
      expected: { data: { listing: {} } },
      fetches: ['shop'],
    },
    'all that is below a field of an entity': {
      query: `query ($no: Boolean = false) { listing {
        best @skip(if: $no) { text @include(if: $no) } worst @skip(if: $no) { ...A } } }
        fragment A on Review { text @include(if: $no) }`,
      expected: { data: { listing: { best: {}, worst: null } } },
      fetches: ['ratings', 'shop'],
    },
    'all that is below a list': {
      query: `query ($no: Boolean! = false, $yes: Boolean! = true) {
        listings @include(if: $yes) { ... on Listing @include(if: $no) { price id } } other: listings { tag @skip(if: $yes) } }`,
      expected: { data: { listings: [{}, {}], other: [{}, {}] } },
      fetches: ['shop'],
    },
    'all that is below a list, in fragments': {
      query: `query ($no: Boolean! = false) { listings { ... @include(if: $no) { price } ...A } }
        fragment A on Listing { ... @include(if: $no) { tag } stars @include(if: $no) }`,
      expected: { data: { listings: [{}, {}] } },
    },
    'a root field beside another': {
      query: 'query ($no: Boolean = false) { other @include(if: $no) { price } listing { id } }',
      expected: { data: { listing: { id: 'l1' } } },
      fetches: ['shop'],
    },
    'all root fields, by a variable': {
      query: 'query ($no: Boolean = false) { other @include(if: $no) { price } }',
      expected: { data: {} },
      fetches: [],
    },
    'all root fields, by a value': {
      query: '{ other @skip(if: true) { price } ... @include(if: false) { listing { id } } }',
      expected: { data: {} },
      fetches: [],
    },
    'both directives on one field': {
      query: `query ($in: Boolean!, $out: Boolean!) { listings {
        a: stars @include(if: $in) @skip(if: $out) b: tag @skip(if: $in) @include(if: $out) } }`,
      variables: { in: true, out: false },
      expected: { data: { listings: [{ a: 5 }, { a: 1 }] } },
    },
    'both of them against it': {
      query: `query ($in: Boolean!, $out: Boolean!) { listings {
        id a: stars @include(if: $in) @skip(if: $out) b: tag @skip(if: $in) @include(if: $out) } }`,
      variables: { in: true, out: true },
      expected: { data: { listings: [{ id: 'l1' }, { id: 'l2' }] } },
    },
    'the same field with and without': {
      query: 'query ($no: Boolean = false) { listing { stars @include(if: $no) stars tag @skip(if: $no) } }',
      expected: { data: { listing: { stars: 5, tag: 'new' } } },
    },
    'a field that is required, and skipped for the client': {
      query: 'query ($no: Boolean = false) { listing { price @include(if: $no) isDear } }',
      expected: { data: { listing: { isDear: true } } },
    },
    'fragments in fragments': {
      query: `query ($yes: Boolean! = true, $no: Boolean! = false) { listings { ...A @include(if: $yes) } }
        fragment A on Listing { id ...B @skip(if: $no) ... @include(if: $no) { neverIncluded } }
        fragment B on Listing { stars ... on Listing @skip(if: $yes) { neverSkipped } }`,
      expected: {
        data: {
          listings: [
            { id: 'l1', stars: 5 },
            { id: 'l2', stars: 1 },
          ],
        },
      },
    },
    'a fragment twice, once against it': {
      query: `query ($yes: Boolean = true) { listing { ...A @skip(if: $yes) ...A } } fragment A on Listing { tag }`,
      expected: { data: { listing: { tag: 'new' } } },
    },
    'no variable that must be': {
      query: 'query ($yes: Boolean!) { listing { id @include(if: $yes) } }',
      expected: { data: null, errors: true },
    },
    'null for a variable with a default': {
      query: 'query ($yes: Boolean = true) { listing { id @include(if: $yes) } }',
      variables: { yes: null },
      expected: { data: { listing: null }, errors: true },
    },
    'the type’s name': {
      query:
        'query ($no: Boolean = false) { listing { __typename @include(if: $no) type: __typename @skip(if: $no) } }',
      expected: { data: { listing: { type: 'Listing' } } },
    },
  },
}
