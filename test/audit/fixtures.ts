import * as abstract from './abstract.ts'
import * as args from './arguments.ts'
import * as conditions from './conditions.ts'
import * as errors from './errors.ts'
import * as external from './external.ts'
import type { Fixture } from './fixture.ts'
import * as inputs from './inputs.ts'
import * as interfaceObjects from './interface-objects.ts'
import * as keys from './keys.ts'
import * as mutations from './mutations.ts'
import * as names from './names.ts'
import * as overrides from './overrides.ts'
import * as provides from './provides.ts'
import * as requires from './requires.ts'
import * as shared from './shared.ts'

export const fixtures: Record<string, Fixture> = {
  ...keys,
  ...external,
  ...requires,
  ...args,
  ...provides,
  ...overrides,
  ...abstract,
  ...interfaceObjects,
  ...shared,
  ...inputs,
  ...conditions,
  ...mutations,
  ...names,
  ...errors,
}
