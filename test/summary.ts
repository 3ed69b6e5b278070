import type { Reporter, TestModule } from 'vitest/node'

export type Counts = { passed: number; failed: number; skipped: number }

export function countsOf(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Counts {
  const states = modules.flatMap((module) =>
    [...module.children.allTests()].map((test) => test.result().state),
  )
  const count = (state: string) => states.filter((each) => each === state).length
  // A file that could not be loaded has no tests, and fails all the same.
  const brokenFiles = modules.filter((module) => module.errors().length > 0).length
  return {
    passed: count('passed'),
    failed: count('failed') + brokenFiles + unhandledErrors.length,
    skipped: count('skipped'),
  }
}

/** What machines read. */
export const summaryOf = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

/** Ends a run with that line. */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    process.stdout.write(`\n${summaryOf(countsOf(modules, unhandledErrors))}\n`)
  }
}
