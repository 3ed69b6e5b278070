import { expect, test } from 'vitest'
import { type CatalogPolicy, catalogPolicy, type PolicyFacts, policyRefusal } from './catalog-policy.ts'

const none: CatalogPolicy = {
  allow: [],
  deny: [],
  minimumLevel: null,
  installedOnly: false,
  approval: false,
  callsPerDay: null,
  tokensPerDay: null,
}
const agent: PolicyFacts = {
  type: 'WORKER',
  license: 'Apache-2.0',
  publisher: 'acme',
  region: 'eu',
  level: 'SILVER',
}
const unknown: PolicyFacts = { ...agent, license: null, region: null, level: null }

const refusal = (policy: Partial<CatalogPolicy>, facts = agent) =>
  policyRefusal({ ...none, ...policy }, facts)

test('a policy that says nothing refuses nothing', () => {
  expect(refusal({})).toBeNull()
  expect(refusal({}, unknown)).toBeNull()
})

test.each([
  [{ types: ['CRITIC', 'WORKER'] }, { types: ['CRITIC'] }, 'type CRITIC or WORKER', 'type CRITIC'],
  [{ licenses: ['Apache-2.0'] }, { licenses: ['MIT'] }, 'license Apache-2.0', 'license MIT'],
  [{ publishers: ['acme'] }, { publishers: ['beta'] }, 'publisher acme', 'publisher beta'],
  [{ regions: ['us', 'eu'] }, { regions: ['us'] }, 'region us or eu', 'region us'],
])('of a field one value is enough: %o fits, %o does not', (fitting, other, told, toldOfOther) => {
  expect(refusal({ deny: [fitting] })).toBe(`its policy denies ${told}`)
  expect(refusal({ deny: [other] })).toBeNull()
  expect(refusal({ allow: [fitting] })).toBeNull()
  expect(refusal({ allow: [other] })).toBe(`its policy allows only ${toldOfOther}`)
})

test('of several fields each must fit, and of several rules one', () => {
  const both = { publishers: ['acme'], regions: ['eu'] }
  const neither = { publishers: ['acme'], regions: ['us'] }
  expect(refusal({ deny: [neither] })).toBeNull()
  expect(refusal({ deny: [neither, both] })).toBe('its policy denies publisher acme and region eu')
  expect(refusal({ allow: [neither, both] })).toBeNull()
  expect(refusal({ allow: [neither, { types: ['JUDGE'] }] })).toBe(
    'its policy allows only publisher acme and region us; or type JUDGE',
  )
})

test('what is denied is denied though it is allowed too', () => {
  expect(refusal({ allow: [{ publishers: ['acme'] }], deny: [{ regions: ['eu'] }] })).toBe(
    'its policy denies region eu',
  )
})

test('what is not known of an agent fits neither what is allowed nor what is denied', () => {
  expect(refusal({ deny: [{ licenses: ['MIT'] }, { regions: ['eu'] }] }, unknown)).toBeNull()
  expect(refusal({ allow: [{ licenses: ['MIT'] }, { types: ['WORKER'], regions: ['eu'] }] }, unknown)).toBe(
    'its policy allows only license MIT; or type WORKER and region eu',
  )
})

test('licenses are the same in capitals and small letters, other facts are not', () => {
  expect(refusal({ deny: [{ licenses: ['APACHE-2.0'] }] })).toBe('its policy denies license APACHE-2.0')
  expect(refusal({ deny: [{ publishers: ['ACME'] }] })).toBeNull()
})

test('a certificate of the minimum level or better is wanted', () => {
  const levels = (['BRONZE', 'SILVER', 'GOLD'] as const).map((minimumLevel) => refusal({ minimumLevel }))
  expect(levels).toEqual([null, null, 'its policy wants a certificate of GOLD or better, it has SILVER'])
  expect(refusal({ minimumLevel: 'BRONZE' }, unknown)).toBe(
    'its policy wants a certificate of BRONZE or better, it has none',
  )
})

test('a rule that says nothing allows nothing and denies nothing', () => {
  for (const nothing of [{}, { types: null, regions: null }]) {
    expect(refusal({ deny: [nothing] })).toBeNull()
    expect(refusal({ allow: [nothing] })).toBe('its policy allows only nothing')
  }
  expect(refusal({ deny: [{ types: [] }] })).toBeNull()
})

test('what an event tells beside a rule is no part of it', () => {
  const told = catalogPolicy.parse({
    ...none,
    __typename: 'CatalogPolicy',
    allow: [{ __typename: 'CatalogPolicyRule', types: ['WORKER'], regions: null }],
  })
  expect(policyRefusal(told, agent)).toBeNull()
})

test('a rule of a later release allows nothing that it may not mean, and denies what it may', () => {
  const later = catalogPolicy.parse({
    ...none,
    allow: [{ publishers: ['acme'], subtypes: ['worker.echo'] }],
    spending: { perDay: 1 },
  })
  expect(policyRefusal(later, agent)).toBe(
    'its policy allows only publisher acme and what this release does not know',
  )
  const denied = catalogPolicy.parse({ ...none, deny: later.allow })
  expect(policyRefusal(denied, agent)).toBe(
    'its policy denies publisher acme and what this release does not know',
  )
  expect(policyRefusal(denied, { ...agent, publisher: 'beta' })).toBeNull()
})
