import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Asked, admit, NotAdmitted, openAgentsOnly } from './admission.ts'
import { nothingSet } from './catalog-policy/standing.ts'

const asked = (purpose: Asked['purpose'], status: Asked['agent']['status']): Asked => ({
  caller: 'tester',
  organizationId: 'ossa',
  purpose,
  agent: { id: 'a', organizationId: 'ossa', status },
  capability: 'c',
  standing: nothingSet({ organizationId: 'ossa' }),
  tokens: 1,
})

test('an agent that is not open for use is looked at only, one that is gone is left alone', () => {
  const allowed = (purpose: Asked['purpose']) =>
    (['DEPLOYING', 'ACTIVE', 'DEGRADED', 'SUSPENDED', 'RETIRED'] as const).filter(
      (status) => openAgentsOnly(asked(purpose, status)) === null,
    )
  expect(allowed('HEALTH')).toEqual(['DEPLOYING', 'ACTIVE', 'DEGRADED', 'SUSPENDED'])
  for (const purpose of ['STEP', 'COMPENSATION', 'AD_HOC'] as const)
    expect(allowed(purpose)).toEqual(['ACTIVE', 'DEGRADED'])
})

test('what the policy refuses can not be sent', () => {
  expect(() => admit(() => 'it is Sunday', asked('STEP', 'ACTIVE'))).toThrow(
    new NotAdmitted('policy refuses the call: it is Sunday'),
  )
})

test('nothing in this subgraph calls an agent but by admission', () => {
  const files = globSync('**/*.ts', { cwd: import.meta.dirname }).filter((file) => !file.endsWith('.test.ts'))
  const callers = files.filter((file) =>
    /import \{[^}]*\binvoke\b[^}]*\} from '[./]*kit\/invoke\.ts'/.test(
      readFileSync(join(import.meta.dirname, file), 'utf8'),
    ),
  )
  expect(callers).toEqual(['admission.ts'])
})
