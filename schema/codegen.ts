import type { CodegenConfig } from '@graphql-codegen/cli'
import { subgraphNames } from './compose.ts'

/** The rows that stand behind a subgraph's types: `Type: './file.ts#RowType'`, relative to the subgraph's folder. */
const mappers: Record<(typeof subgraphNames)[number], Record<string, string>> = {
  agents: {},
  marketplace: {},
  certification: {},
  telemetry: {},
  federation: {},
}

// Resolver types of each subgraph, `subgraphs/<name>/schema.generated.ts`; never committed.
const config: CodegenConfig = {
  generates: Object.fromEntries(
    subgraphNames.map((name) => [
      `subgraphs/${name}/schema.generated.ts`,
      {
        schema: `schema/${name}.graphql`,
        plugins: ['typescript', 'typescript-resolvers'],
        config: {
          federation: true,
          useTypeImports: true,
          enumsAsTypes: true,
          contextType: './context.ts#Context',
          mapperTypeSuffix: 'Mapper',
          mappers: mappers[name],
          scalars: {
            ID: { input: 'string', output: 'string' },
            DateTime: { input: 'Date', output: 'Date | string' },
            JSON: { input: 'unknown', output: 'unknown' },
          },
          defaultMapper: 'Partial<{T}>',
        },
      },
    ]),
  ),
  silent: true,
  errorsOnly: true,
}

export default config
