import { z } from 'zod'
import { cellSchema, type Row, rowsOf } from './compact-table.ts'
import { skill } from './skill.ts'

const rowSchema = z.record(z.string().max(2000), cellSchema)

/** Reads a compacted table back and says where it differs from the records that it was made of. */
export const tableVerification = skill({
  name: 'table-verification',
  configuration: z.strictObject({
    /** The most that is told of what differs. */
    maxDifferences: z.int().min(1).max(100),
  }),
  input: z.strictObject({
    table: z.string().max(100_000).describe('As table compaction writes it'),
    rows: z.array(rowSchema).max(500).optional().describe('What it was made of; absent to read it only'),
  }),
  output: z.strictObject({
    verdict: z
      .enum(['FAITHFUL', 'READABLE', 'DIFFERS', 'UNREADABLE'])
      .describe('READABLE where there is nothing to compare with'),
    reason: z.string().nullable().describe('Why it cannot be read, with the line; else null'),
    rows: z.array(rowSchema).describe('What the table says'),
    differences: z
      .array(
        z.strictObject({
          row: z.int().describe('From 0'),
          column: z.string().describe('Empty where the row itself is missing or too many'),
          expected: z.string().describe('As JSON; empty where there should be nothing'),
          actual: z.string().describe('As JSON; empty where there is nothing'),
        }),
      )
      .describe('In the order of the rows'),
  }),
  run({ table, rows: expected }, { maxDifferences }) {
    let rows: Row[]
    try {
      rows = rowsOf(table)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return { verdict: 'UNREADABLE' as const, reason, rows: [], differences: [] }
    }
    if (!expected) return { verdict: 'READABLE' as const, reason: null, rows, differences: [] }
    const differences = Array.from({ length: Math.max(rows.length, expected.length) }, (_, index) =>
      differencesOf(index, expected[index], rows[index]),
    ).flat()
    return {
      verdict: differences.length === 0 ? ('FAITHFUL' as const) : ('DIFFERS' as const),
      reason: null,
      rows,
      differences: differences.slice(0, maxDifferences),
    }
  },
})

const json = (value: unknown) => (value === undefined ? '' : JSON.stringify(value))

function differencesOf(row: number, expected: Row | undefined, actual: Row | undefined) {
  if (!expected || !actual) return [{ row, column: '', expected: json(expected), actual: json(actual) }]
  const cell = (of: Row, column: string) => (Object.hasOwn(of, column) ? of[column] : undefined)
  return [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    .map((column) => ({
      row,
      column,
      expected: json(cell(expected, column)),
      actual: json(cell(actual, column)),
    }))
    .filter((one) => one.expected !== one.actual)
}
