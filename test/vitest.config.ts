import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

const root = resolve(import.meta.dirname, '..')
const node_modules = '**/node_modules/**'

/**
 * unit: pure, no process but the test's own · integration (`*.integration.test.ts`): real Postgres, Kafka and sockets ·
 * e2e: the whole community, started as `pnpm start` starts it, one world after another.
 */
export default defineConfig({
  test: {
    root,
    reporters: ['default', resolve(import.meta.dirname, 'summary.ts')],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{gateway,infra,schema,subgraphs,test}/**/*.test.ts'],
          exclude: [node_modules, '**/*.integration.test.ts', 'test/{e2e,browser}/**'],
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
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
