import parse from 'spdx-expression-parse'
import { z } from 'zod'
import type { Weakness } from '../weakness.ts'
import { weakness } from './rules.ts'

const licensed = z.object({ metadata: z.object({ license: z.unknown() }) })
const at = '/metadata/license'
// npm's words for what has no licence that SPDX lists, https://docs.npmjs.com/cli/configuring-npm/package-json#license
const unlisted = /^(?:UNLICENSED|SEE LICENSE IN \S.*)$/

/** Whether the terms can be known: an expression of SPDX over licences that it lists, or `LicenseRef-…`. */
export function licenceWeaknesses(manifest: unknown): Weakness[] {
  const read = licensed.safeParse(manifest)
  const licence = read.success ? read.data.metadata.license : undefined
  if (licence === undefined || licence === null || licence === '')
    return [weakness('no-licence', at, 'the manifest names no licence')]
  if (typeof licence !== 'string' || licence.length > 1_000)
    return [weakness('unknown-licence', at, `${typeof licence}, no SPDX expression`)]
  if (unlisted.test(licence)) return [weakness('no-licence', at, licence)]
  try {
    parse(licence)
    return []
  } catch {
    return [weakness('unknown-licence', at, licence)]
  }
}
