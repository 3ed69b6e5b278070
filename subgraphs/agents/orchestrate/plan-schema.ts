import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { definition } from './definition.ts'

/** For editors: what a plan may say. What of it hangs together, `checkPlan` tells at submission. */
export const planSchemaFile = join(import.meta.dirname, 'plan.schema.json')

export const planSchema = () => ({
  title: 'A plan',
  ...z.toJSONSchema(definition, { io: 'input', target: 'draft-2020-12' }),
})

// `node plan-schema.ts` writes the file.
if (import.meta.main) writeFileSync(planSchemaFile, `${JSON.stringify(planSchema(), null, 2)}\n`)
