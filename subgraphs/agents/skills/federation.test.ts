import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { includes } from '../../kit/schema-inclusion.ts'
import { contentDigest } from './content-digest.ts'
import { rankFusion } from './rank-fusion.ts'
import { rankedConsensus } from './ranked-consensus.ts'
import { replicaMerge } from './replica-merge.ts'
import { schemaCompatibility } from './schema-compatibility.ts'
import { schemaTranslation } from './schema-translation.ts'
import { signatureVerification } from './signature-verification.ts'
import { answerOf } from './testing.ts'
import { tokenBucket } from './token-bucket.ts'
import { trustPolicy } from './trust-policy.ts'
import { voteArbitration } from './vote-arbitration.ts'

describe('schema-translation', () => {
  const configuration: z.input<typeof schemaTranslation.configuration> = {
    constants: { 'meta.kind': 'Agent' },
    fields: [
      { from: 'name', to: 'meta.slug', convert: 'slug', required: true },
      { from: 'minutes', to: 'seconds', convert: 'number', scale: 60, required: false },
      { from: 'role', to: 'role', convert: 'as-is', words: { owner: 'ADMIN' }, required: false },
    ],
  }
  const translate = (record: Record<string, unknown>) =>
    answerOf(schemaTranslation, { record }, configuration)

  test('carries fields over and lists what has no counterpart', async () => {
    expect(await translate({ name: 'Far  Away!', minutes: '2.5', role: 'owner', x: { y: 1 } })).toEqual({
      record: { meta: { kind: 'Agent', slug: 'far-away' }, seconds: 150, role: 'ADMIN' },
      untranslated: ['x.y'],
    })
  })

  test('a word without a counterpart is refused', async () => {
    await expect(translate({ name: 'a', role: 'constructor' })).rejects.toThrow('is none of owner')
  })
})

const compare = (before: object, after: object, direction: 'backward' | 'forward' | 'full') =>
  answerOf(
    schemaCompatibility,
    { before: { ...before }, after: { ...after } },
    { direction, undeclared: 'ignored' },
  )

describe('schema-compatibility', () => {
  test('one schema includes another only where that is sure', () => {
    const object = (properties: object, rest: object = {}) => ({ type: 'object', properties, ...rest })
    const text = object({ text: { type: 'string' } })
    const short = object({ text: { type: 'string', maxLength: 9 } })
    expect([includes(text, short), includes(short, text)]).toEqual([true, false])
    expect([includes({ type: 'object' }, text), includes(text, { type: 'object' })]).toEqual([true, false])
    const dated = object({ at: { type: 'string', format: 'date' } })
    expect([includes(dated, dated), includes(object({ at: { type: 'string' } }), dated)]).toEqual([
      true,
      false,
    ])
    let deep: Record<string, unknown> = { type: 'string' }
    for (let depth = 0; depth < 30; depth++) deep = object({ in: deep })
    expect([includes(deep, { ...deep }), includes(deep, { ...deep, title: 'other' })]).toEqual([true, false])
  })

  const narrow = { type: 'object', properties: { n: { type: 'integer', minimum: 0 } }, required: ['n'] }
  const wide = { type: 'object', properties: { n: { type: 'number' } } }

  test('widening breaks readers, narrowing breaks writers', async () => {
    expect((await compare(narrow, wide, 'backward')).compatible).toBe(true)
    expect((await compare(narrow, wide, 'forward')).compatible).toBe(false)
    expect((await compare(wide, narrow, 'backward')).breaks).toEqual([
      { path: '/n', problem: 'is required' },
      { path: '/n', problem: 'number no longer fits integer' },
      { path: '/n', problem: 'minimum is 0, was "none"' },
    ])
  })

  test('says which keywords it did not judge', async () => {
    expect((await compare({ anyOf: [] }, { items: { $ref: '#' } }, 'full')).notJudged).toEqual([
      '$ref',
      'anyOf',
    ])
  })
})

test('reciprocal rank fusion is 1 / (k + rank), summed', async () => {
  const lists = [
    { organization: 'a', results: ['x', 'y'].map((id) => ({ id, score: 1 })) },
    { organization: 'b', results: ['y', 'z'].map((id) => ({ id, score: 1 })) },
  ]
  const answer = await answerOf(
    rankFusion,
    { lists },
    { method: 'reciprocal-rank', k: 60, weights: { b: 0.5 }, first: 2 },
  )
  expect(answer.results).toEqual([
    { id: 'y', score: 0.02433, from: ['a', 'b'] },
    { id: 'x', score: 0.01639, from: ['a'] },
  ])
})

const decisionOn = async (request: Record<string, string | number>) =>
  await answerOf(
    trustPolicy,
    { request },
    {
      combining: 'deny-overrides',
      otherwise: 'DENY',
      rules: [
        {
          name: 'friends',
          effect: 'PERMIT',
          when: [{ attribute: 'org', is: 'one-of', value: ['ossa'] }],
          reason: 'A friend.',
        },
        {
          name: 'deep',
          effect: 'DENY',
          when: [{ attribute: 'depth', is: 'at-least', value: 4 }],
          reason: 'Too deep.',
        },
      ],
    },
  )

describe('trust-policy', () => {
  test('a denial overrides a permission', async () => {
    expect(await decisionOn({ org: 'ossa', depth: 2 })).toMatchObject({ decision: 'PERMIT', rule: 'friends' })
    expect(await decisionOn({ org: 'ossa', depth: 4 })).toEqual({
      decision: 'DENY',
      rule: 'deep',
      reason: 'Too deep.',
      applicable: ['friends', 'deep'],
    })
  })

  test('leaving out an attribute gains nothing', async () => {
    expect(await decisionOn({ org: 'ossa' })).toMatchObject({ decision: 'DENY', rule: 'deep' })
    expect(await decisionOn({ depth: 1 })).toMatchObject({ decision: 'DENY', rule: null })
  })
})

describe('vote-arbitration', () => {
  const votes = [
    { voter: 'a1', organization: 'a', choice: 'APPROVE' },
    { voter: 'a2', organization: 'a', choice: 'APPROVE' },
    { voter: 'b1', organization: 'b', choice: 'APPROVE' },
    { voter: 'b1', organization: 'b', choice: 'REJECT' },
  ] as const
  const decide = async (unit: 'voter' | 'organization', electorate: number) =>
    (
      await answerOf(
        voteArbitration,
        { question: 'Adopt it', electorate, votes: [...votes] },
        { quorum: 0.5, threshold: 0.5, strict: true, unit, abstentions: 'ignored' },
      )
    ).decision

  test('the last vote of a voter counts; by organizations, size does not', async () => {
    expect(await decide('voter', 3)).toBe('APPROVED')
    expect(await decide('organization', 2)).toBe('REJECTED')
    expect(await decide('voter', 8)).toBe('NO_QUORUM')
  })
})

describe('ranked-consensus', () => {
  test("Schulze's own example", async () => {
    const ballots = (
      [
        [5, 'ACBED'],
        [5, 'ADECB'],
        [8, 'BEDAC'],
        [3, 'CABED'],
        [7, 'CAEBD'],
        [2, 'CBADE'],
        [7, 'DCEBA'],
        [8, 'EBADC'],
      ] as const
    ).map(([voters, letters]) => ({ voters, ranking: letters.split('') }))
    const { standing } = await answerOf(rankedConsensus, { ballots }, { method: 'schulze' })
    expect(standing.map(({ option }) => option).join('')).toBe('EACBD')
  })

  test('the instant runoff passes over the Condorcet winner that nobody has first', async () => {
    const ballots = [
      { voters: 3, ranking: ['a', 'm', 'b'] },
      { voters: 4, ranking: ['b', 'm', 'a'] },
      { voters: 2, ranking: ['m', 'a', 'b'] },
    ]
    expect(await answerOf(rankedConsensus, { ballots }, { method: 'instant-runoff' })).toMatchObject({
      winner: 'a',
      condorcetWinner: 'm',
    })
  })
})

test("the digest of RFC 9530's example matches, and of a changed body does not", async () => {
  const digest = 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:, md5=:AAAA:'
  const verify = (content: string) =>
    answerOf(contentDigest, { content, digest }, { format: 'content-digest', algorithms: ['sha-256'] })
  expect(await verify('{"hello": "world"}\n')).toEqual({
    verified: true,
    sizeBytes: 19,
    checks: [
      { algorithm: 'sha-256', outcome: 'MATCH' },
      { algorithm: 'md5', outcome: 'NOT_TRUSTED' },
    ],
  })
  expect((await verify('{"hello": "World"}\n')).verified).toBe(false)
})

const base64url = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')

test("RFC 8032's second test vector verifies; with a domain before it, it does not", async () => {
  const input = {
    message: 'r',
    publicKey: base64url('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'),
    signature: base64url(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ),
  }
  expect((await answerOf(signatureVerification, input, { domain: '', trustedKeys: [] })).verified).toBe(true)
  expect((await answerOf(signatureVerification, input, { domain: 'x', trustedKeys: [] })).verified).toBe(
    false,
  )
  expect(
    await answerOf(signatureVerification, input, { domain: '', trustedKeys: ['A'.repeat(43)] }),
  ).toMatchObject({ verified: false, reason: 'The signature holds, but the key is not trusted here.' })
})

test('a bucket refuses what exceeds it, or lets it wait', async () => {
  const requests = [0, 0, 0].map((at) => ({ at, cost: 2 }))
  const limit = { ratePerSecond: 1, burst: 3, maxDelaySeconds: 2 }
  expect(await answerOf(tokenBucket, { requests }, { ...limit, excess: 'refuse' })).toMatchObject({
    waits: [0, null, null],
  })
  expect(await answerOf(tokenBucket, { requests }, { ...limit, excess: 'delay' })).toMatchObject({
    waits: [0, 1, null],
  })
})

test('replicas merge to the same whatever their order', async () => {
  const replicas = [
    { replica: 'a', updatedAt: '2026-01-01T00:00:00Z', fields: { title: 'A', tags: ['x'], hits: 3 } },
    { replica: 'b', updatedAt: '2026-01-01T00:00:00Z', fields: { title: 'B', tags: ['y'], hits: 4 } },
    { replica: 'b', updatedAt: '2025-01-01T00:00:00Z', fields: { hits: 2 } },
  ]
  const merge = (ordered: typeof replicas) =>
    answerOf(
      replicaMerge,
      { replicas: ordered },
      { fields: { title: 'latest', tags: 'union', hits: 'counter' } },
    )
  expect(await merge(replicas)).toEqual({
    merged: { title: 'A', tags: ['x', 'y'], hits: 7 },
    conflicts: [{ field: 'title', keptFrom: 'a', dropped: ['b'] }],
  })
  expect(await merge(replicas.toReversed())).toEqual(await merge(replicas))
})
