import type { Fixture } from './fixture.ts'
import * as external from './external.ts'
import * as keys from './keys.ts'

export const fixtures: Record<string, Fixture> = { ...keys, ...external }
