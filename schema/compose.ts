/**
 * `compose.ts` writes supergraph.graphql from the five subgraph schemas. `--check` writes nothing and fails where the
 * committed file is not what they compose to, or where the last commit breaks clients without declaring it.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  composeServices,
  compositionHasErrors,
  transformSupergraphToPublicSchema,
} from '@theguild/federation-composition'
import { buildASTSchema, findBreakingChanges, lexicographicSortSchema, parse, print } from 'graphql'
import { readEvents } from './event.ts'

export const subgraphNames = ['agents', 'marketplace', 'certification', 'telemetry', 'federation'] as const

const folder = import.meta.dirname
const supergraphFile = join(folder, 'supergraph.graphql')

/** The supergraph's SDL; throws every composition error, each naming the subgraphs or the field concerned. */
export const composeSupergraph = (): string =>
  composeSubgraphs(
    subgraphNames.map((name) => ({
      name,
      typeDefs: parse(readFileSync(join(folder, `${name}.graphql`), 'utf8')),
      url: `http://127.0.0.1:${4001 + subgraphNames.indexOf(name)}/graphql`,
    })),
  )

export function composeSubgraphs(subgraphs: Parameters<typeof composeServices>[0]): string {
  const composition = composeServices(subgraphs)
  if (compositionHasErrors(composition)) throw doNotCompose(composition.errors.map(({ message }) => message))
  const document = parse(composition.supergraphSdl)
  const { errors } = readEvents(buildASTSchema(document, { assumeValidSDL: true }), 'event')
  if (errors.length > 0) throw doNotCompose(errors)
  return `${print(document)}\n`
}

const doNotCompose = (errors: readonly string[]) =>
  new Error(`the subgraphs do not compose:\n${errors.map((error) => `- ${error}`).join('\n')}`)

/** What a client of `before` would miss in `after`. */
export function breakingChanges(before: string, after: string): string[] {
  const api = (sdl: string) =>
    lexicographicSortSchema(buildASTSchema(transformSupergraphToPublicSchema(parse(sdl))))
  return findBreakingChanges(api(before), api(after)).map((change) => change.description)
}

// Compares with the last landed state: HEAD while the schema is being edited, HEAD's parent once it is committed.
function undeclaredBreakingChanges(current: string): string[] {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const at = (revision: string) => git('show', `${revision}:./supergraph.graphql`)
  try {
    const committed = at('HEAD')
    if (committed !== current) return breakingChanges(committed, current)
    const declared = git('log', '-1', '--format=%(trailers:key=Breaking-Change,valueonly)').trim()
    return declared ? [] : breakingChanges(at('HEAD^'), current)
  } catch {
    return [] // No git history here, or the file is new: there is nothing to break.
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  const current = composeSupergraph()
  if (!values.check) writeFileSync(supergraphFile, current)
  else if (readFileSync(supergraphFile, 'utf8') !== current) {
    console.error('schema/supergraph.graphql is not what the subgraphs compose to: run `pnpm run compose`')
    process.exitCode = 1
  }
  const broken = undeclaredBreakingChanges(current)
  if (broken.length > 0) {
    console.error(`this breaks clients:\n${broken.map((line) => `- ${line}`).join('\n')}`)
    console.error(
      'declare it in the commit message with a trailer `Breaking-Change: <why>`, or deprecate first',
    )
    if (values.check) process.exitCode = 1
  }
}
