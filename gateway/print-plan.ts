/** `pnpm run plan --supergraph FILE --operation FILE`: prints how the gateway would execute the operation. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parse, validate } from 'graphql'
import { isolate } from './plan/isolate.ts'
import { planOperation } from './plan/plan.ts'
import { printPlan } from './plan/print.ts'
import { createPlanner, readSupergraph } from './plan/supergraph.ts'

try {
  const { values } = parseArgs({
    options: {
      supergraph: { type: 'string' },
      operation: { type: 'string' },
      name: { type: 'string' },
      label: { type: 'string', multiple: true },
    },
  })
  if (values.supergraph === undefined || values.operation === undefined)
    throw new Error('usage: --supergraph FILE --operation FILE [--name NAME] [--label LABEL …]')
  const sdl = await readFile(values.supergraph, 'utf8')
  const document = parse(await readFile(values.operation, 'utf8'))
  const supergraph = readSupergraph(sdl)
  const [invalid] = validate(supergraph.api, document)
  if (invalid) throw invalid
  console.log(
    printPlan(
      planOperation(createPlanner(sdl), isolate(document, supergraph.traits), {
        operationName: values.name,
        labels: values.label ?? [],
      }),
    ),
  )
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
