import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import { badInput, type ClientError } from '../../kit/errors.ts'

/** One document of a text. */
export type Source = {
  /** As it came. */
  text: string
  /** Read as JSON. */
  value: unknown
  /** Of the deepest part of the path that is there, from 1. */
  lineOf: (path: readonly string[]) => number
}

/** What is wrong, and where. */
export type Violation = { path: readonly string[]; expected: string }

const mostErrorsTold = 5

/** The documents of a YAML or JSON text: of one that is a list, its items. Throws ClientError, with the line. */
export function readSources(source: string, mostBytes: number): Source[] {
  if (Buffer.byteLength(source) > mostBytes)
    throw badInput(`the source has more than ${mostBytes} bytes`, 'source', `at most ${mostBytes / 1024} KiB`)
  const lines = new LineCounter()
  return parsed(source, lines).flatMap((document) => {
    const [error] = document.errors
    if (error)
      throw badInput(
        `the source is neither YAML nor JSON, line ${lines.linePos(error.pos[0]).line}: ${firstLine(error.message)}`,
        'source',
        'a YAML or JSON document',
      )
    const value = contentOf(document)
    const { contents } = document
    if (!isSeq(contents))
      return [
        { text: source.slice(...rangeOf(document)), value, lineOf: (path) => lineAt(document, lines, path) },
      ]
    return contents.items.map((item, index): Source => {
      const [from, to] = (isNode(item) ? item.range : null) ?? [0, 0]
      return {
        text: source.slice(from, to),
        value: (value as unknown[])[index],
        lineOf: (path) => lineAt(document, lines, [`${index}`, ...path]),
      }
    })
  })
}

function parsed(source: string, lineCounter: LineCounter): Document.Parsed[] {
  try {
    const documents = parseAllDocuments(source, {
      lineCounter,
      version: '1.2',
      schema: 'core',
      prettyErrors: false,
    })
    return Array.isArray(documents) ? documents : []
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
    throw error
  }
}

// Aliases that multiply, or nest without end, are refused by the parser at this point.
function contentOf(document: Document.Parsed): unknown {
  let text: string
  try {
    text = JSON.stringify(document.toJS({ maxAliasCount: 100 })) ?? 'null'
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
    if (error instanceof ReferenceError || error instanceof TypeError)
      throw badInput(`the source can't be read: ${error.message}`, 'source', 'no excess of aliases, no cycle')
    throw error
  }
  // Postgres stores neither NUL nor half a surrogate pair.
  if (/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i.test(text))
    throw badInput('the source has a character that is none of text', 'source', 'Unicode text without NUL')
  return JSON.parse(text) as unknown
}

const tooDeep = () => badInput('the source is nested too deeply', 'source', 'a document of reasonable depth')

const rangeOf = ({ range }: Document.Parsed): [number, number] => [range[0], range[2]]

function lineAt(document: Document.Parsed, lines: LineCounter, path: readonly string[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const steps = path.slice(0, depth)
    const parent: unknown = document.getIn(steps.slice(0, -1), true) ?? document.contents
    const last = steps.at(-1)
    // A value may stand on a later line than its name.
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === last)
      : undefined
    const node: unknown = pair?.key ?? document.getIn(steps, true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return lines.linePos(document.contents?.range?.[0] ?? 0).line
}

/** Names the pointer, the line and what was expected there. */
export function refusalOf({ lineOf }: Source, violations: readonly Violation[]): ClientError {
  const told = violations
    .slice(0, mostErrorsTold)
    .map(({ path, expected }) => `${pointerOf(path)} (line ${lineOf(path)}): expected ${expected}`)
  const more = violations.length - told.length
  const [first] = violations
  return badInput(
    `the manifest is not valid: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
    `source#${pointerOf(first?.path ?? [])}`,
    first?.expected,
  )
}

const pointerOf = (path: readonly string[]) =>
  path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

const firstLine = (text: string) => text.split('\n', 1)[0] ?? text
