import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import { badInput, type ClientError } from '../../kit/errors.ts'

/** A plan's text, read as JSON. */
export type Source = {
  value: unknown
  /** What the text is called in what is told about it. */
  file: string
  /** The GraphQL argument that it came by. */
  argument: string
  lineOf: (path: readonly string[]) => number
}

/** What is wrong in a plan, and where. */
export type Problem = { path: string[]; expected: string }

const maxSourceBytes = 256 * 1024
const maxTold = 50

/** Throws a ClientError where the text is no YAML. */
export function readSource(text: string, file: string, argument: string): Source {
  if (Buffer.byteLength(text) > maxSourceBytes)
    throw badInput(`${file}: has more than ${maxSourceBytes} bytes`, argument, 'at most 256 KiB')
  const json = asPlainJson(text)
  const document = json === null ? readDocument(text, file, argument) : null
  return {
    value: storable(json ?? jsonOf(document, file, argument), file, argument),
    file,
    argument,
    lineOf(path) {
      const { read, lines } = document ?? parse(text)
      return lineAt(read, lines, path)
    },
  }
}

/** The text where it is JSON as it is written by programs: read as YAML a plan of a thousand steps takes a second. */
function asPlainJson(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text)
    // All else, as a name that comes twice, YAML has something to say of.
    return [undefined, 2].some((indent) => JSON.stringify(value, null, indent) === text) ? text : null
  } catch {
    return null
  }
}

function parse(text: string) {
  const lines = new LineCounter()
  const read = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    prettyErrors: false,
  })
  return { read, lines }
}

function readDocument(text: string, file: string, argument: string): ReturnType<typeof parse> {
  const { read, lines } = parse(text)
  const [error] = read.errors
  if (error)
    throw badInput(
      `${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`,
      argument,
      'a YAML document',
    )
  return { read, lines }
}

/** One error for all problems, a line of text each; its argument and expectation are the first one's. */
export function refusal({ file, argument, lineOf }: Source, problems: readonly Problem[]): ClientError {
  const told = problems
    .map(({ path, expected }) => ({ line: lineOf(path), path, expected }))
    .toSorted((a, b) => a.line - b.line)
  const [first] = told
  const more = told.length > maxTold ? [`and ${told.length - maxTold} more`] : []
  const listed = told
    .slice(0, maxTold)
    .map(({ line, path, expected }) => `${file}:${line}: ${path.join('.') || 'the plan'}: ${expected}`)
  const pointer = (first?.path ?? []).map((step) => `/${step}`).join('')
  return badInput([...listed, ...more].join('\n'), `${argument}#${pointer}`, first?.expected)
}

function jsonOf(document: ReturnType<typeof parse> | null, file: string, argument: string): string {
  try {
    return JSON.stringify(document?.read.toJS()) ?? 'null'
  } catch (error) {
    // Aliases that multiply without end, or in a circle.
    throw badInput(
      `${file}:1: ${error instanceof Error ? error.message : 'it can not be read'}`,
      argument,
      'a YAML document that is finite as JSON',
    )
  }
}

function storable(json: string, file: string, argument: string): unknown {
  // Postgres stores neither NUL nor half a surrogate pair.
  if (/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i.test(json))
    throw badInput(`${file}:1: has a character that is none of text`, argument, 'Unicode text without NUL')
  return JSON.parse(json)
}

/** Of the deepest place that there is; of a mapping's entry the line of its key. */
function lineAt(document: Document, lines: LineCounter, path: readonly string[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent: unknown = document.getIn(path.slice(0, depth - 1), true)
    const name = path[depth - 1]
    if (isMap(parent))
      for (const { key } of parent.items)
        if (isScalar(key) && String(key.value) === name && key.range) return lines.linePos(key.range[0]).line
    const node: unknown = document.getIn(path.slice(0, depth), true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}
