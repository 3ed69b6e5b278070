import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const root = resolve(import.meta.dirname, '..')
// Vite would take graphql's ES modules, CommonJS packages the others: two copies, and `instanceof` fails between them.
const graphql = createRequire(import.meta.url).resolve('graphql')
const node_modules = '**/node_modules/**'

// The e2e files share one world: the graph as the foundation left it, then the plan, then the browser.
const order = ['test/e2e/graph', 'test/e2e/plan', 'test/e2e/', 'test/browser/']

class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (file: TestSpecification) => order.findIndex((prefix) => file.moduleId.includes(prefix))
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/**
 * unit: pure, no process but the test's own · integration (`*.integration.test.ts`): real Postgres, Kafka and sockets ·
 * e2e: the whole community, started as `pnpm start` starts it, one world for all; once more
 * with the event log in Postgres · fault: worlds of their own, in which processes are killed, after all others.
 */
export default defineConfig({
  resolve: { alias: [{ find: /^graphql$/, replacement: graphql }] },
  test: {
    root,
    sequence: { sequencer: InOrder },
    reporters: ['default', resolve(import.meta.dirname, 'summary.ts')],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{gateway,infra,schema,subgraphs,test}/**/*.test.ts'],
          exclude: [node_modules, '**/*.integration.test.ts', 'test/{e2e,browser,fault}/**'],
          // Many of them start a gateway; the machine may be busy with something else.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['{gateway,infra,schema,subgraphs,test}/**/*.integration.test.ts'],
          exclude: [node_modules],
          globalSetup: [resolve(import.meta.dirname, 'setup-postgres.ts')],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/{e2e,browser}/**/*.test.ts'],
          globalSetup: [resolve(import.meta.dirname, 'e2e/setup.ts')],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e-postgres-log',
          include: ['test/e2e/**/*.test.ts'],
          // Three minutes; who may see what is decided by the subgraphs, not by the log.
          exclude: [node_modules, 'test/e2e/visibility.test.ts'],
          globalSetup: [resolve(import.meta.dirname, 'e2e/setup-postgres-log.ts')],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'fault',
          include: ['test/fault/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
