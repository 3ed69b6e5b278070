import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { principalOf, requireOrganization, requireScope } from './principal.ts'

let folder: string
let keys: Keys

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'principal-'))
  keys = await openKeys(join(folder, 'ours'), 'internal')
})
afterAll(() => rm(folder, { recursive: true }))

const good = { audience: 'subgraph', subject: 'alice', ttlSeconds: 30 }
const headerOf = async (claims: object, options = good, by = keys) => ({
  'x-ossa-principal': await by.sign({ ...claims }, options),
})

test('the signed header tells who asks', async () => {
  const headers = await headerOf({ org: 'ossa', scope: 'agents:write org:admin' })
  expect(await principalOf(headers, keys)).toEqual({
    subject: 'alice',
    organization: 'ossa',
    scopes: ['agents:write', 'org:admin'],
  })
})

test('an anonymous caller has no organization and no scopes', async () => {
  const principal = await principalOf(await headerOf({}, { ...good, subject: 'anonymous' }), keys)
  expect(principal).toEqual({ subject: 'anonymous', organization: null, scopes: [] })
  expect(() => requireOrganization(principal)).toThrow('organization')
  expect(() => requireScope(principal, 'agents:write')).toThrow('agents:write')
})

test('every other header is refused', async () => {
  const theirs = await openKeys(join(folder, 'theirs'), 'internal')
  const refused = [
    {},
    { 'x-ossa-principal': 'alice' },
    { 'x-ossa-principal': ['a', 'b'] },
    await headerOf({}, good, theirs),
    await headerOf({}, { ...good, audience: 'agent:alice' }),
    await headerOf({}, { ...good, ttlSeconds: 3600 }),
    await headerOf({}, { ...good, ttlSeconds: -1 }),
    await headerOf({ org: 7 }),
    await headerOf({}, { ...good, subject: '' }),
  ] as Parameters<typeof principalOf>[0][]
  const codes = await Promise.all(
    refused.map((headers) => principalOf(headers, keys).catch((error: { code: string }) => error.code)),
  )
  expect(codes).toEqual(refused.map(() => 'UNAUTHENTICATED'))
})
