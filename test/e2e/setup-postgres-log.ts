import type { TestProject } from 'vitest/node'
import { provideWorld } from './setup.ts'

/** The same community, whose event log is in Postgres. */
export const setup = (project: TestProject) => provideWorld(project, 'never')
