import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, Source, validate } from 'graphql'
import { checkDocument, checkLength, exceeded, type Limits } from './guard/limits.ts'
import { refusal } from './refusal.ts'

/** What a document is held to; without `introspection` neither answers nor errors tell the schema. */
export type DocumentRules = { limits: Limits; introspection: boolean }

const toldErrors = 20

/**
 * From text to a document within the limits that is valid, and its height. Throws one GraphQLError, or several
 * (AggregateError).
 */
export function readDocument(
  query: string,
  api: GraphQLSchema,
  rules: DocumentRules,
): { document: DocumentNode; height: number } {
  checkLength(query, rules.limits)
  const document = parseDocument(query, rules.limits)
  const height = checkDocument(document, rules.limits, rules)
  const invalid = validate(api, document, undefined, {
    maxErrors: toldErrors,
    hideSuggestions: !rules.introspection,
  })
  if (invalid.length > 0) throw new AggregateError(invalid.map(withCode('GRAPHQL_VALIDATION_FAILED')))
  return { document, height }
}

function parseDocument(query: string, { tokens }: Limits): DocumentNode {
  const source = new Source(query)
  try {
    const document = parse(source, { maxTokens: tokens })
    remembersLines(source)
    return document
  } catch (error) {
    // The parser recurses: nesting may exhaust the stack before it exhausts the tokens.
    if (error instanceof RangeError) throw refusal('OPERATION_TOO_COMPLEX', 'the document nests too deep')
    if (!(error instanceof GraphQLError)) throw error
    if (/more tha[nt] \d+ tokens/.test(error.message))
      throw exceeded('tokens', "the document's tokens", tokens + 1, tokens)
    throw withCode('GRAPHQL_PARSE_FAILED')(error)
  }
}

type LinedSource = Source & { lineStarts: number[] }

// graphql reads the text anew for each place of each error: 20 errors behind a million line ends took 1.4 s.
function remembersLines(source: Source): void {
  const lineStarts = [0]
  for (const { index, 0: end } of source.body.matchAll(/\r\n|[\n\r]/g)) lineStarts.push(index + end.length)
  Object.assign(source, { body: '', lineStarts } satisfies Partial<LinedSource>)
}

const longestMessage = 1_000

/** The error with a code, and with its places in a document of `readDocument`. */
export const withCode =
  (code: string) =>
  (error: GraphQLError): GraphQLError => {
    const { message, path, source, positions, extensions } = error
    const told = new GraphQLError(
      message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message,
      { path: path ?? null, extensions: { ...extensions, code } },
    )
    const locations =
      source && isLined(source) ? positions?.map((each) => location(source, each)) : error.locations
    return locations ? Object.assign(told, { locations }) : told
  }

const isLined = (source: Source): source is LinedSource => 'lineStarts' in source

function location({ lineStarts }: LinedSource, position: number): { line: number; column: number } {
  let line = 1
  let after = lineStarts.length
  while (after - line > 0) {
    const middle = (line + after) >> 1
    if (lineStarts[middle]! <= position) line = middle + 1
    else after = middle
  }
  return { line, column: position - lineStarts[line - 1]! + 1 }
}
