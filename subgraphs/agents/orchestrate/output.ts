import type { Db } from '@community/infra/postgres.ts'
import type { PlanStepDefinition } from './definition.ts'
import { StepFailed } from './failure.ts'
import { NoValue, valueAt } from './reference.ts'

const maxOutputBytes = 256 * 1024
const maxTogetherBytes = 4 * 1024 * 1024

/** An output as it is kept. Throws StepFailed where it can't be. */
export function storedOutput(output: unknown): string {
  const json = JSON.stringify(output) ?? 'null'
  const bytes = Buffer.byteLength(json)
  if (bytes > maxOutputBytes)
    throw new StepFailed(`the answer has ${bytes} bytes, a step keeps ${maxOutputBytes} at most`, {
      answered: true,
    })
  // Postgres stores neither NUL nor half a surrogate pair.
  if (/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i.test(json))
    throw new StepFailed('the answer has a character that is none of text', { answered: true })
  return json
}

/** In the order of `ids`; null where there is none. */
export async function outputsOf(db: Db, ids: readonly string[]): Promise<unknown[]> {
  const { rows } = await db.query<{ id: string; output: unknown }>(
    'select id, output from step where id = any($1)',
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row.output]))
  return ids.map((id) => byId.get(id) ?? null)
}

/**
 * What the pointer points to in a step's output, undefined where there is nothing. The output of a step that was done
 * for a selection is an object by the ids of its agents. Throws NoValue where all together are too large.
 */
export async function outputAt(
  db: Db,
  runId: string,
  step: PlanStepDefinition,
  path: string,
): Promise<unknown> {
  const isSelection = 'select' in step && step.select !== undefined && step.action !== 'gate'
  const [, first] = path.split('/')
  const agentId = first?.replaceAll('~1', '/').replaceAll('~0', '~') ?? null
  const { rows } = await db.query<{ agentId: string; output: unknown; bytes: number }>(
    `select agent_id as "agentId", bytes, case when bytes <= $4 then output end as output
     from (
       select agent_id, output, ordinal, sum(octet_length(output::text)) over ()::int as bytes from step
       where run_id = $1 and name = $2 and output is not null and ($3::text is null or agent_id = $3)
     ) as found order by ordinal`,
    [runId, step.name, isSelection ? agentId : null, maxTogetherBytes],
  )
  const [row] = rows
  if (!row) return undefined
  if (row.bytes > maxTogetherBytes)
    throw new NoValue(
      `the outputs of ${step.name} have ${row.bytes} bytes together, at most ${maxTogetherBytes} are taken`,
    )
  const output = isSelection
    ? Object.fromEntries(rows.map((each) => [each.agentId, each.output]))
    : row.output
  return valueAt(output, path)
}
