import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { cellSchema, type Row, tableOf } from './compact-table.ts'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

/** Records as a table that names each column once and loses nothing: fewer tokens than the same as JSON. */
export const tableCompaction = skill({
  name: 'table-compaction',
  configuration: z.strictObject({
    /** Below this share of tokens saved JSON is answered: models know it best. */
    minSavedPercent: z.number().min(0).max(100),
  }),
  input: z.strictObject({
    rows: z
      .array(z.record(z.string().min(1).max(120), cellSchema))
      .min(1)
      .max(500)
      .describe('Flat records; text, numbers, true, false and null'),
  }),
  output: z.strictObject({
    format: z.enum(['table', 'json']).describe('Which of the two the content is'),
    content: z
      .string()
      .describe('A header line, =column|value for what all rows share, and a line for each row'),
    rows: z.int().describe('How many there are'),
    columns: z.int().describe('How many different ones there are'),
    tokens: z.int().describe('Of the content'),
    tokensOfJson: z.int().describe('Of the same as JSON without spaces'),
    savedPercent: z.number().describe('Of the tokens of JSON'),
  }),
  run({ rows }, { minSavedPercent }) {
    const json = JSON.stringify(rows)
    const table = tableOf(rows)
    const tokensOfJson = countTokens(json)
    const tokensOfTable = countTokens(table)
    const worth = 100 * (1 - tokensOfTable / tokensOfJson) >= minSavedPercent
    const tokens = worth ? tokensOfTable : tokensOfJson
    return {
      format: worth ? ('table' as const) : ('json' as const),
      content: worth ? table : json,
      rows: rows.length,
      columns: new Set(rows.flatMap((row: Row) => Object.keys(row))).size,
      tokens,
      tokensOfJson,
      savedPercent: rounded(100 * (1 - tokens / tokensOfJson), 1),
    }
  },
})
