import { expect, test } from 'vitest'
import type { CatalogPolicy } from '../../kit/catalog-policy.ts'
import type { Asked } from '../admission.ts'
import { refusedByOrganization } from './refusal.ts'
import type { Installation, Standing } from './standing.ts'

const none: CatalogPolicy = {
  allow: [],
  deny: [],
  minimumLevel: null,
  installedOnly: false,
  approval: false,
  callsPerDay: null,
  tokensPerDay: null,
}
const denying: CatalogPolicy = {
  ...none,
  deny: [{ regions: ['us'] }],
  minimumLevel: 'GOLD',
  installedOnly: true,
}

type Traits = {
  policy?: CatalogPolicy | null
  installation?: Installation | null
  runs?: string | null
  owner?: string
}

const asked = (
  purpose: 'STEP' | 'COMPENSATION' | 'AD_HOC',
  { policy = null, installation = null, runs = '1.2.0', owner = 'acme' }: Traits,
): Asked => {
  const facts: Standing['facts'] = {
    type: 'WORKER',
    license: 'MIT',
    publisher: owner,
    region: 'us',
    level: null,
  }
  return {
    caller: 'ann',
    organizationId: 'beta',
    purpose,
    agent: { id: 'acme/tool', organizationId: owner, status: 'ACTIVE' },
    capability: 'count',
    standing: { policy, installation, facts, deployedVersion: runs },
    tokens: 100,
  }
}
const refusal = (traits: Traits) => refusedByOrganization(asked('AD_HOC', traits))

test('an organization that has set nothing lets everything be called', () => {
  expect(refusal({})).toBeNull()
  expect(refusal({ policy: none })).toBeNull()
})

test('the policy is asked of steps and calls, and not of what undoes steps or only looks', () => {
  const told = 'beta does not let acme/tool be called: its policy denies region us'
  for (const purpose of ['STEP', 'AD_HOC'] as const)
    expect(refusedByOrganization(asked(purpose, { policy: denying }))).toBe(told)
  expect(refusedByOrganization(asked('COMPENSATION', { policy: denying }))).toBeNull()
  const { caller, organizationId, agent, capability } = asked('AD_HOC', {})
  expect(refusedByOrganization({ caller, organizationId, agent, capability, purpose: 'HEALTH' })).toBeNull()
})

test('own agents are not bound, nor by their installation', () => {
  const installation: Installation = { pinnedVersion: '1.0.0', updatePolicy: 'PINNED' }
  expect(refusal({ policy: denying, installation, owner: 'beta' })).toBeNull()
})

test('where only what is installed is let, what is not names how it becomes so', () => {
  const policy = { ...none, installedOnly: true }
  expect(refusal({ policy })).toBe(
    'beta lets only what it has installed be called, and acme/tool is not: installAgent installs it, or asks for it',
  )
  expect(refusal({ policy, installation: { pinnedVersion: '1.2.0', updatePolicy: 'PINNED' } })).toBeNull()
})

test.each([
  ['PINNED', ['1.2.0']],
  ['PATCH', ['1.2.0', '1.2.1']],
  ['MINOR', ['1.2.0', '1.2.1', '1.1.9', '1.3.0']],
  ['LATEST', ['1.2.0', '1.2.1', '1.1.9', '1.3.0', '0.9.0', '2.0.0']],
] as const)('an installation pinned to 1.2.0 that follows %s lets %o run', (updatePolicy, expected) => {
  const versions = ['1.2.0', '1.2.1', '1.1.9', '1.3.0', '0.9.0', '2.0.0', '1.2.0-rc.1', '2.0.0-rc.1']
  const installation = { pinnedVersion: '1.2.0', updatePolicy }
  expect(versions.filter((runs) => refusal({ installation, runs }) === null)).toEqual([...expected])
})

test('prereleases are for who is pinned to one', () => {
  const installation: Installation = { pinnedVersion: '1.2.0-rc.1', updatePolicy: 'PATCH' }
  const lets = ['1.2.0-rc.2', '1.2.0', '1.3.0-rc.1'].filter(
    (runs) => refusal({ installation, runs }) === null,
  )
  expect(lets).toEqual(['1.2.0-rc.2', '1.2.0'])
})

test('a version that the installation does not let says which one runs and what to do', () => {
  const installation: Installation = { pinnedVersion: '1.1.0', updatePolicy: 'PATCH' }
  expect(refusal({ installation })).toBe(
    'beta has acme/tool installed at 1.1.0 (PATCH), and 1.2.0 runs: updateInstallation moves it there, or its owner deploys a version that the installation lets',
  )
  expect(refusal({ installation, runs: null })).toBeNull()
  expect(refusal({ installation: { ...installation, pinnedVersion: null } })).toBeNull()
})
