/** The schema that the hostile documents are made for. */
export const hostileTypeDefs = `
  type Query { hello(name: String, n: [Int], o: In, j: Any): String deep(n: Int): Deep node: Node }
  input In { a: In b: [In] n: Int }
  scalar Any
  interface Node { id: ID n: Node }
  type A implements Node { id: ID n: Node a: Int }
  type B implements Node { id: ID n: Node b: Int }
  type Deep { deep(n: Int): Deep end(n: Int): Int ${times(40, (i) => `f${i}(n: Int): Deep`)} }
  type Mutation { touch: Int }
  type Subscription { ticks: Int }
`

export type Hostile = {
  what: string
  query: string
  variables?: Record<string, unknown>
  /** The answer's code, and the limit that was met. */
  code: string
  limit?: string
}

const tooComplex = 'OPERATION_TOO_COMPLEX'
const invalid = 'GRAPHQL_VALIDATION_FAILED'

/** Each at its worst that a body of 1 MiB or 10,000 tokens holds, or just within the limits and invalid. */
export const hostileDocuments: readonly Hostile[] = [
  {
    what: 'deep',
    query: nested('deep{', 30, 'end'),
    code: tooComplex,
    limit: 'depth',
  },
  {
    what: 'deep by fragments',
    query: `{deep{...F0}} ${times(30, (i) => `fragment F${i} on Deep{deep{...F${i + 1}}}`)} fragment F30 on Deep{end}`,
    code: tooComplex,
    limit: 'depth',
  },
  {
    what: 'nested inline fragments',
    query: nested('...{', 400, 'hello'),
    code: tooComplex,
    limit: 'nesting',
  },
  { what: 'nested without end', query: '{deep'.repeat(4_000), code: `${tooComplex}|GRAPHQL_PARSE_FAILED` },
  {
    what: 'a chain of fragments',
    query: `{...F0} ${times(1_200, (i) => `fragment F${i} on Query{...F${i + 1}}`)} fragment F1200 on Query{hello}`,
    code: tooComplex,
    limit: 'nesting',
  },
  {
    what: 'lists in lists',
    query: `{hello(n:${'['.repeat(400)}${']'.repeat(400)})}`,
    code: tooComplex,
    limit: 'nesting',
  },
  {
    what: 'objects in objects, of a directive',
    query: `{hello @x(o:${'{a:'.repeat(400)}1${'}'.repeat(400)})}`,
    code: tooComplex,
    limit: 'nesting',
  },
  {
    what: 'fragments that double the fields',
    query: `{deep{...F0}} ${times(60, (i) => `fragment F${i} on Deep{...F${i + 1} ...F${i + 1}}`)} fragment F60 on Deep{end}`,
    code: tooComplex,
    limit: 'height',
  },
  {
    what: 'fragments that double below introspection',
    query: `{__schema{...F0}} ${times(20, (i) => `fragment F${i} on __Schema{...F${i + 1} ...F${i + 1}}`)} fragment F20 on __Schema{description}`,
    code: tooComplex,
    limit: 'height',
  },
  {
    what: 'fragments that double, and are not used',
    query: `{hello} ${times(60, (i) => `fragment F${i} on Query{...F${i + 1} ...F${i + 1}}`)} fragment F60 on Query{hello}`,
    code: tooComplex,
    limit: 'height',
  },
  {
    what: 'fragments on both sides of a list of aliases',
    query: `{...F0} ${times(30, (i) => `fragment F${i} on Query{a${i}:hello ...F${i + 1} b${i}:hello ...F${i + 1}}`)} fragment F30 on Query{hello}`,
    code: tooComplex,
  },
  {
    what: 'many aliases',
    query: `{deep{${times(250, (i) => `a${i}:end`)}}}`,
    code: tooComplex,
    limit: 'aliases',
  },
  {
    what: 'many root fields',
    query: `{${times(250, () => 'hello')}}`,
    code: tooComplex,
    limit: 'rootFields',
  },
  { what: 'many fields', query: `{deep{${times(2_500, () => 'end')}}}`, code: tooComplex, limit: 'height' },
  {
    what: 'many directives',
    query: `{hello ${'@skip(if:false)'.repeat(1_400)}}`,
    code: tooComplex,
    limit: 'directives',
  },
  {
    what: 'directives of variables',
    query: `query($a:Int ${'@x '.repeat(600)}){hello}`,
    code: tooComplex,
    limit: 'directives',
  },
  {
    what: 'many operations over one fragment',
    query: `${times(300, (i) => `query Q${i}($a:Int){...F}`)} fragment F on Query{deep(n:$a){end}}`,
    code: tooComplex,
    limit: 'operations',
  },
  {
    what: 'fields of one name',
    query: `{deep{${times(1_900, () => 'end')}}}`,
    code: tooComplex,
    limit: 'comparisons',
  },
  {
    what: 'fields of one name in each other',
    query: `{deep{${times(450, () => 'deep{deep{deep{end}}}')}}}`,
    code: tooComplex,
    limit: 'comparisons',
  },
  {
    what: 'fields of one name with long arguments',
    query: `{${times(40, () => `hello(n:[${'1,'.repeat(240)}])`)}}`,
    code: tooComplex,
    limit: 'comparisons',
  },
  {
    what: 'many fragments in one place',
    query: `{deep{${times(600, (i) => `...F${i}`)}}} ${times(600, (i) => `fragment F${i} on Deep{end}`)}`,
    code: tooComplex,
    limit: 'comparisons',
  },
  {
    what: 'many fragments on two types in one place',
    query: `{node{${times(450, (i) => `...on ${i % 2 ? 'A' : 'B'}{n{id}}`)}}}`,
    code: tooComplex,
    limit: 'comparisons',
  },
  { what: 'many tokens', query: `{${'hello '.repeat(20_000)}}`, code: tooComplex, limit: 'tokens' },
  {
    what: 'a long document',
    query: `${'#\n'.repeat(200_000)}{hello}`,
    code: tooComplex,
    limit: 'documentBytes',
  },
  {
    what: 'comments and nothing else',
    query: '#\n'.repeat(130_000),
    code: 'GRAPHQL_PARSE_FAILED',
  },
  {
    what: 'many errors behind many lines',
    query: `${'\n'.repeat(260_000)}{${times(20, (i) => `x${i}`)}}`,
    code: invalid,
  },
  {
    what: 'conflicts in each other behind many lines',
    query: `${'\n'.repeat(200_000)}{${times(2, (k) => `deep{${times(40, (i) => `f${i}{${times(8, (j) => `f${j}(n:${k}){end}`)}}`)}}`)}}`,
    code: invalid,
  },
  { what: 'a long name', query: `{${'x'.repeat(250_000)}}`, code: invalid },
  {
    what: 'unknown arguments',
    query: `{hello(${times(3_000, (i) => `a${i}:1`)})}`,
    code: invalid,
  },
  {
    what: 'unused variables',
    query: `query(${times(1_600, (i) => `$v${i}:Int`)}){hello}`,
    code: invalid,
  },
  {
    what: 'a variable used in many operations',
    query: `${times(40, (i) => `query Q${i}($a:Int){...F}`)} fragment F on Query{hello(n:[${'$a,'.repeat(9_000)}])}`,
    code: 'GRAPHQL_VALIDATION_FAILED|OPERATION_TOO_COMPLEX',
  },
  {
    what: 'a fragment that spreads itself',
    query: '{...F} fragment F on Query{...F}',
    code: invalid,
  },
  {
    what: 'fragments that all spread all',
    query: `{...F0} ${times(60, (i) => `fragment F${i} on Query{${times(60, (j) => `...F${j}`)}}`)}`,
    code: invalid,
  },
  {
    what: 'a cycle below introspection',
    query: '{__schema{types{...F}}} fragment F on __Type{ofType{...F}}',
    code: invalid,
  },
  {
    what: 'introspection in depth',
    query: nested('__schema{types{fields{type{', 1, nestedTypes(8)),
    code: invalid,
  },
  { what: 'a huge integer', query: '{deep(n:99999999999999999999){end}}', code: invalid },
  { what: 'a directive flood on one field', query: `{hello ${'@x '.repeat(400)}}`, code: invalid },
  {
    what: 'variables nested deep',
    query: 'query($j:Any){hello(j:$j)}',
    variables: { j: JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`) as unknown },
    code: tooComplex,
    limit: 'nesting',
  },
  {
    what: 'many variable values',
    query: 'query($n:[Int]){hello(n:$n)}',
    variables: { n: Array.from({ length: 400_000 }, () => 1) },
    code: tooComplex,
    limit: 'variableValues',
  },
  {
    what: 'many variable values of the wrong type',
    query: 'query($n:[Int]){hello(n:$n)}',
    variables: { n: Array.from({ length: 19_000 }, () => 'x') },
    code: 'BAD_USER_INPUT',
  },
  {
    what: 'a huge integer in a variable',
    query: 'query($n:Int){deep(n:$n){end}}',
    variables: { n: 2 ** 40 },
    code: 'BAD_USER_INPUT',
  },
]

function times(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join(' ')
}

function nested(open: string, levels: number, innermost: string): string {
  return `{${open.repeat(levels)}${innermost}${'}'.repeat(levels * open.split('{').length - levels)}}`
}

function nestedTypes(levels: number): string {
  return `${'fields{type{'.repeat(levels)}name${'}}'.repeat(levels)}`
}
