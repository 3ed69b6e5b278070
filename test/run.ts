/**
 * All projects, those of a group side by side and one group after the other: a community that waits for its tests would take a
 * quarter of the machine from those of others. Ends with the sum, `N passed, N failed`.
 */
import { startVitest } from 'vitest/node'
import { type Counts, countsOf, summaryOf } from './summary.ts'

const groups = [['unit', 'integration'], ['e2e-postgres-log'], ['e2e'], ['fault']]

const sum: Counts = { passed: 0, failed: 0, skipped: 0 }
for (const project of groups) {
  const { passed, failed, skipped } = await run(project)
  sum.passed += passed
  // Also of a group that has no tests at all, as when a project was renamed.
  sum.failed += failed + (passed + failed === 0 ? 1 : 0)
  sum.skipped += skipped
}
console.log(`\n${summaryOf(sum)}`)
process.exit(sum.failed > 0 ? 1 : 0)

async function run(project: string[]): Promise<Counts> {
  try {
    const vitest = await startVitest('test', [], { config: 'test/vitest.config.ts', project, watch: false })
    const counts = countsOf(vitest.state.getTestModules(), vitest.state.getUnhandledErrors())
    await vitest.close()
    return counts
  } catch (error) {
    console.error(error)
    return { passed: 0, failed: 1, skipped: 0 }
  }
}
