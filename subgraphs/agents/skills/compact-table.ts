import { z } from 'zod'

export const cellSchema = z.union([z.string().max(2000), z.number(), z.boolean(), z.null()])
type Cell = z.output<typeof cellSchema>
export type Row = Record<string, Cell>

/**
 * Columns in the first line, then `=column|value` for what all rows share, then a line for each row. An empty cell is a
 * member that the row has not. Text stands bare where it can be taken for nothing else, else as a JSON string.
 */
export function tableOf(rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const shared = columns.filter(
    (column) =>
      rows.length > 1 && rows.every((row) => Object.hasOwn(row, column) && row[column] === rows[0]![column]),
  )
  const others = columns.filter((column) => !shared.includes(column))
  return [
    others.map(cellText).join('|'),
    ...shared.map((column) => `=${cellText(column)}|${cellText(rows[0]![column]!)}`),
    ...rows.map((row) =>
      others.map((column) => (Object.hasOwn(row, column) ? cellText(row[column]!) : '')).join('|'),
    ),
  ].join('\n')
}

/** Throws where the text is none of `tableOf`, naming the line. */
export function rowsOf(table: string): Row[] {
  const [first = '', ...lines] = table.split('\n')
  // A table without columns of its own still has a line for each row.
  const columns = first === '' ? [] : cellsOf(first, 1).map((cell) => nameOf(cell, 1))
  const sharedLines = lines.findIndex((line) => !line.startsWith('='))
  const [head, body] = sharedLines < 0 ? [lines, []] : [lines.slice(0, sharedLines), lines.slice(sharedLines)]
  const shared = head.map((line, index): [string, Cell] => {
    const [name, value] = cellsOf(line.slice(1), index + 2)
    if (value === undefined) throw new Error(`line ${index + 2}: expected =column|value`)
    return [nameOf(name, index + 2), value]
  })
  return body.map((line, index) => {
    const number = head.length + index + 2
    const cells = columns.length === 0 ? [] : cellsOf(line, number)
    if (cells.length !== columns.length)
      throw new Error(`line ${number}: has ${cells.length} cells, expected ${columns.length}`)
    const own = columns.flatMap((column, at): [string, Cell][] => {
      const cell = cells[at]
      return cell === undefined ? [] : [[column, cell]]
    })
    return Object.fromEntries([...shared, ...own])
  })
}

const bare = /^[^\s"=|][^"|\n\r\u2028\u2029]*$/
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/

function cellText(cell: Cell): string {
  if (typeof cell !== 'string') return JSON.stringify(cell)
  const taken = jsonNumber.test(cell) || ['true', 'false', 'null'].includes(cell)
  return bare.test(cell) && !taken && cell === cell.trim() ? cell : JSON.stringify(cell)
}

/** Undefined for an empty cell. */
function cellsOf(line: string, number: number): (Cell | undefined)[] {
  const cells: (Cell | undefined)[] = []
  for (let at = 0; at <= line.length; ) {
    const end = line[at] === '"' ? endOfString(line, at, number) : endOfBare(line, at)
    if (end < line.length && line[end] !== '|') throw new Error(`line ${number}: expected | after a string`)
    cells.push(cellOf(line.slice(at, end), number))
    at = end + 1
  }
  return cells
}

const endOfBare = (line: string, start: number) => {
  const end = line.indexOf('|', start)
  return end < 0 ? line.length : end
}

function endOfString(line: string, start: number, number: number): number {
  for (let at = start + 1; at < line.length; at++)
    if (line[at] === '\\') at++
    else if (line[at] === '"') return at + 1
  throw new Error(`line ${number}: a string has no end`)
}

function cellOf(text: string, number: number): Cell | undefined {
  if (text === '') return undefined
  if (!text.startsWith('"') && !jsonNumber.test(text) && !['true', 'false', 'null'].includes(text))
    return text
  try {
    return cellSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new Error(`line ${number}: ${text.slice(0, 40)} is no value`, { cause: error })
  }
}

function nameOf(cell: Cell | undefined, number: number): string {
  if (typeof cell !== 'string') throw new Error(`line ${number}: expected the name of a column`)
  return cell
}
