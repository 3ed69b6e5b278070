import { describe, expect, test } from 'vitest'
import { cacheReplay } from './cache-replay.ts'
import { changeRate } from './change-rate.ts'
import { tableOf } from './compact-table.ts'
import { contextCapsule } from './context-capsule.ts'
import { contextDeduplication } from './context-deduplication.ts'
import { contextPruning } from './context-pruning.ts'
import { conversationCheckpoint } from './conversation-checkpoint.ts'
import { extractiveSummary } from './extractive-summary.ts'
import { factReconciliation } from './fact-reconciliation.ts'
import { halfLifeEstimation } from './half-life-estimation.ts'
import { jsonDelta } from './json-delta.ts'
import { jsonPatch, mergePatch } from './json-patch.ts'
import { liveReferences } from './live-references.ts'
import { passageSelection } from './passage-selection.ts'
import { patchVerification } from './patch-verification.ts'
import { promptAssembly } from './prompt-assembly.ts'
import { temporalValue } from './reference.ts'
import { referencePlanning } from './reference-planning.ts'
import { referenceResolution } from './reference-resolution.ts'
import { tableCompaction } from './table-compaction.ts'
import { tableVerification } from './table-verification.ts'
import { answerOf } from './testing.ts'
import { tokenAccounting } from './token-accounting.ts'

describe('reference-resolution', () => {
  const resolve = (prompt: string, values: { reference: string; value: string; ageSeconds?: number }[]) =>
    answerOf(referenceResolution, { prompt, values }, { depth: 3 })

  test('a long value stands once, a short one wherever it is mentioned', async () => {
    const value = 'all of the minutes of the meeting in which the budget was set'
    const minutes = { reference: '{DATA:artifact:m}', value }
    const owner = { reference: '{STATE:agent:a}', value: 'idle', ageSeconds: 15 }
    const prompt = '{DATA:artifact:m}|{STATE:agent:a}|{DATA:artifact:m}|{STATE:agent:a}'
    expect(await resolve(prompt, [minutes, owner])).toMatchObject({
      prompt: `${value}|idle|[see DATA:artifact:m]|idle`,
      inserted: [
        { reference: '{DATA:artifact:m}', tokens: 13, mentions: 2 },
        { reference: '{STATE:agent:a}', mentions: 2 },
      ],
      unresolved: [],
      goodForSeconds: 45,
    })
  })

  test('what is out of date, unknown or its own part stays and is told', async () => {
    const answer = await resolve('{METRICS:pool:p} {CONTEXT:w:x} {DATA:a:b} {data:a:b} {TEMPORAL:date}', [
      { reference: '{METRICS:pool:p}', value: '3', ageSeconds: 61 },
      { reference: '{DATA:a:b}', value: '<{DATA:a:b}>' },
    ])
    expect(answer.prompt).toBe('{METRICS:pool:p} {CONTEXT:w:x} <{DATA:a:b}> {data:a:b} 2026-11-23')
    expect(answer.unresolved).toEqual([
      { reference: '{METRICS:pool:p}', reason: 'expired' },
      { reference: '{CONTEXT:w:x}', reason: 'unknown' },
      { reference: '{DATA:a:b}', reason: 'cycle' },
    ])
  })

  test('values that refer to each other over and over do not multiply', async () => {
    const values = Array.from({ length: 4 }, (_, level) => ({
      reference: `{DATA:level:n${level}}`,
      value: `a value of level ${level} with a few words more ${`{DATA:level:n${level + 1}}`.repeat(200)}`,
    }))
    const answer = await resolve('{DATA:level:n0}', values)
    expect(answer.prompt.length).toBeLessThan(20_000)
  })

  test("weeks are ISO 8601's", () => {
    expect(
      ['2027-01-03', '2026-12-31', '2024-12-30', '2026-01-05'].map((day) =>
        temporalValue('week', new Date(day)),
      ),
    ).toEqual(['2026-W53', '2026-W53', '2025-W01', '2026-W02'])
  })
})

test('live references are asked for in one operation, and only those that no fresh copy answers', async () => {
  const asked: unknown[] = []
  const answer = await answerOf(
    liveReferences,
    {
      prompt:
        '{STATE:agent:a} {METRICS:agent:a} {STATE:agent:gone} {STATE:agent:a} {DATA:artifact:q} {DATA:agent:b} {TEMPORAL:now}',
      cache: [
        { reference: '{DATA:agent:b}', value: 'B does things.', fetchedAt: '2026-11-23T11:50:01Z' },
        { reference: '{METRICS:agent:a}', value: 'old', fetchedAt: '2026-11-23T11:59:00Z' },
      ],
    },
    { maxReferences: 10 },
    (query, variables) => {
      asked.push(query, variables)
      return Promise.resolve({
        r0: { status: 'ACTIVE', health: 'HEALTHY', version: '1.2.0' },
        r1: { usage: { calls: 3, errors: 1, tokensIn: 9, tokensOut: 8, p95LatencyMs: 12.4 } },
        r2: null,
      })
    },
  )
  expect(asked).toEqual([
    'query Resolve($id0: ID!, $id1: ID!, $id2: ID!) { r0: agent(id: $id0) { status health version } ' +
      'r1: agent(id: $id1) { usage { calls errors tokensIn tokensOut p95LatencyMs } } r2: agent(id: $id2) { status health version } }',
    { id0: 'a', id1: 'a', id2: 'gone' },
  ])
  const state = 'status ACTIVE, health HEALTHY, version 1.2.0'
  expect(answer.prompt).toBe(
    `${state} calls 3, errors 1, tokens in 9, out 8, p95 12 ms {STATE:agent:gone} ${state} {DATA:artifact:q} B does things. 2026-11-23T12:00:00.000Z`,
  )
  expect(answer.resolved.map(({ from }) => from)).toEqual(['graph', 'graph', 'cache', 'clock'])
  expect(answer.unresolved).toEqual(['{STATE:agent:gone}', '{DATA:artifact:q}'])
  expect(answer.cache.map(({ reference }) => reference)).toEqual([
    '{DATA:agent:b}',
    '{STATE:agent:a}',
    '{METRICS:agent:a}',
  ])
})

describe('reference-planning', () => {
  const seconds = { CONTEXT: 300, DATA: 600, STATE: 60, METRICS: 60, TEMPORAL: 0 }
  const configuration = { timeToLiveSeconds: seconds, staleSeconds: { ...seconds, STATE: 0 } }

  test('waves follow needs; a copy stands for what went into it', async () => {
    const known = [
      { reference: '{CONTEXT:w:a}', needs: ['{DATA:f:b}', '{DATA:f:c}'], fetchMs: 10 },
      { reference: '{DATA:f:b}', needs: ['{STATE:s:d}'], fetchMs: 20 },
      { reference: '{DATA:f:c}', needs: ['{STATE:s:never}'], ageSeconds: 700 },
      { reference: '{STATE:s:d}', ageSeconds: 60, fetchMs: 5 },
    ]
    expect(await answerOf(referencePlanning, { prompt: '{CONTEXT:w:a}', known }, configuration)).toEqual({
      waves: [['{STATE:s:d}'], ['{DATA:f:b}'], ['{CONTEXT:w:a}']],
      fromCache: [],
      revalidate: ['{DATA:f:c}'],
      blocked: [],
      waitMs: 35,
    })
  })

  test('a circle blocks itself and what needs it, and nothing else', async () => {
    const known = [
      { reference: '{DATA:f:a}', needs: ['{DATA:f:b}'] },
      { reference: '{DATA:f:b}', needs: ['{DATA:f:b}'] },
    ]
    const answer = await answerOf(referencePlanning, { prompt: '{DATA:f:a}{DATA:f:z}', known }, configuration)
    expect(answer).toMatchObject({ waves: [['{DATA:f:z}']], blocked: ['{DATA:f:a}', '{DATA:f:b}'] })
  })
})

test('a change rate is -ln((n - x + 0.5) / (n + 0.5)) per interval', async () => {
  const looks = (changes: number) => ({
    reference: '{STATE:agent:a}',
    intervalSeconds: 60,
    looks: 10,
    changes,
  })
  const { references } = await answerOf(
    changeRate,
    { references: [looks(3), looks(0), looks(10)] },
    { staleProbability: 0.2, minSeconds: 6, maxSeconds: 200 },
  )
  expect(references.map(({ changesPerHour }) => changesPerHour)).toEqual([20.188, 2.927, 182.671])
  expect(references.map(({ timeToLiveSeconds }) => timeToLiveSeconds)).toEqual([39, 200, 0])
  expect(references.map(({ enoughLooks }) => enoughLooks)).toEqual([true, true, false])
})

describe('context-pruning', () => {
  const item = (id: string, tokens: number, importance: number, ageMinutes = 0, pinned = false) => ({
    id,
    text: Array(tokens).fill('one').join(' '),
    importance,
    ageMinutes,
    pinned,
  })
  const items = [item('a', 6, 0.9), item('b', 5, 0.6), item('c', 5, 0.6)]

  test('greedy takes the densest item, the knapsack the best two', async () => {
    const keep = async (method: 'by-density' | 'exact') =>
      (
        await answerOf(
          contextPruning,
          { budgetTokens: 10, items },
          { method, halfLifeMinutes: null, reservePercent: 0 },
        )
      ).keep
    expect(await keep('by-density')).toEqual(['a'])
    expect(await keep('exact')).toEqual(['b', 'c'])
  })

  test('a large item is not lost to small change before it', async () => {
    const answer = await answerOf(
      contextPruning,
      { budgetTokens: 10, items: [item('crumb', 1, 0.2), item('loaf', 10, 1)] },
      { method: 'by-density', halfLifeMinutes: null, reservePercent: 0 },
    )
    expect(answer.keep).toEqual(['loaf'])
  })

  test('importance halves with age, the reserve stays free and what is pinned stays', async () => {
    const answer = await answerOf(
      contextPruning,
      {
        budgetTokens: 20,
        items: [item('old', 5, 0.9, 60), item('new', 5, 0.3), item('pin', 5, 0, 600, true)],
      },
      { method: 'exact', halfLifeMinutes: 30, reservePercent: 50 },
    )
    expect(answer).toEqual({
      keep: ['new', 'pin'],
      drop: [{ id: 'old', tokens: 5, score: 0.225 }],
      tokens: 10,
      tokensBefore: 15,
      fits: true,
      scoreKeptPercent: 57.1,
    })
  })
})

test('a half-life is found that has a closed form: one of four used after an hour is two halvings', async () => {
  const outcomes = [true, false, false, false].map((used) => ({
    kind: 'note',
    importance: 1,
    ageMinutes: 60,
    used,
  }))
  const { kinds } = await answerOf(
    halfLifeEstimation,
    { outcomes },
    { minMinutes: 1, maxMinutes: 10_000, minOutcomes: 4 },
  )
  expect(kinds).toMatchObject([{ kind: 'note', halfLifeMinutes: 30, logLoss: 0.5623, ages: true }])
})

describe('context-deduplication', () => {
  const items = [
    { id: 'short', source: 'x', text: 'a b c d' },
    { id: 'other', text: 'p q r' },
    { id: 'long', source: 'y', text: 'A b, c e f.' },
  ]
  const find = async (measure: 'resemblance' | 'containment', threshold: number) =>
    (
      await answerOf(
        contextDeduplication,
        { items },
        { measure, shingleWords: 2, threshold, keep: 'longest' },
      )
    ).groups

  test('resemblance is of all shingles, containment of those of the repeat', async () => {
    expect(await find('resemblance', 0.4)).toEqual([
      { kept: 'long', sources: ['x', 'y'], repeats: [{ id: 'short', likeness: 0.4 }] },
    ])
    expect(await find('resemblance', 0.41)).toEqual([])
    expect(await find('containment', 0.6)).toMatchObject([{ repeats: [{ id: 'short', likeness: 0.667 }] }])
  })
})

const verify = (document: unknown, patch: unknown, expected?: unknown) =>
  answerOf(
    patchVerification,
    { document, expected, patch: patchVerification.input.shape.patch.parse(patch) },
    { ignored: ['/at'] },
  )

describe('patch-verification', () => {
  test.each([
    ['A.1', { foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
    [
      'A.2',
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ],
    ['A.4', { foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    [
      'A.6',
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [
      'A.7',
      { foo: ['all', 'grass', 'cows', 'eat'] },
      [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
      { foo: ['all', 'cows', 'eat', 'grass'] },
    ],
    ['A.14', { '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [
      'A.16',
      { foo: ['bar'] },
      [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
      { foo: ['bar', ['abc', 'def']] },
    ],
  ])("RFC 6902's example %s", async (_name, document, patch, expected) => {
    expect(await verify(document, patch, expected)).toMatchObject({
      verdict: 'AS_EXPECTED',
      result: expected,
    })
  })

  test.each([
    [{ baz: 'qux' }, { op: 'add', path: '/baz/bat', value: 'qux' }, 'leads nowhere'],
    [{ a: [1] }, { op: 'add', path: '/a/2', value: 1 }, 'is no place in the array'],
    [{ a: [1] }, { op: 'remove', path: '/a/01' }, 'is no place in the array'],
    [{ a: { b: 1 } }, { op: 'move', from: '/a', path: '/a/b' }, 'cannot move into itself'],
    [{ a: '10' }, { op: 'test', path: '/a', value: 10 }, 'has another value'],
    [{}, { op: 'remove', path: '/constructor' }, 'leads nowhere'],
  ])('%j refuses %j', async (document, operation, reason) => {
    const answer = await verify(document, [operation])
    expect(answer).toMatchObject({ verdict: 'DOES_NOT_APPLY', result: document })
    expect(answer.failed?.reason).toContain(reason)
  })

  test('a document that is copied into itself over and over is stopped', async () => {
    const patch = Array.from({ length: 100 }, () => ({ op: 'copy', from: '', path: '/-' }))
    expect((await verify(['a'.repeat(1000)], patch)).failed).toEqual({
      operation: 8,
      reason: 'copy /-: would make the document longer than 500000 characters',
    })
  })

  test('says where something else comes out, but for what may differ', async () => {
    const patch = [{ op: 'replace', path: '/n', value: 2 }]
    expect(await verify({ n: 1, at: 1 }, patch, { n: 3, at: 2 })).toMatchObject({
      verdict: 'OTHERWISE',
      differences: ['/n'],
    })
  })
})

describe('json-delta', () => {
  const delta = (before: unknown, after: unknown, format: 'json-patch' | 'merge-patch') =>
    answerOf(jsonDelta, { before, after }, { format, guard: true, worthBelow: 1 })

  test.each([
    [
      { list: [1, 2, 3, 4], same: { x: [] } },
      { list: [1, 9, 4], same: { x: [] } },
    ],
    [{ list: [1, 2] }, { list: [0, 1, 2, 3, 4] }],
    [
      { 'a/b': 1, 'm~n': { z: 1 } },
      { 'm~n': { z: null }, '': 2 },
    ],
    [
      [[1], [2]],
      [[2], [1], [[]]],
    ],
    [JSON.parse('{"__proto__": 1}'), JSON.parse('{"__proto__": {"a": 2}}')],
    [{ a: 1 }, null],
  ])('the patch from %j makes %j of it', async (before, after) => {
    expect(await verify(before, jsonPatch(before, after, true), after)).toMatchObject({
      verdict: 'AS_EXPECTED',
      result: after,
    })
  })

  test('a guarded patch is refused by another document', async () => {
    const patch = jsonPatch({ a: 1, b: 2 }, { b: 3 }, true)
    expect((await verify({ a: 7, b: 2 }, patch)).failed?.operation).toBe(0)
  })

  test("RFC 7396's example, and a null that it has no word for", async () => {
    const before = {
      title: 'Goodbye!',
      author: { givenName: 'John', familyName: 'Doe' },
      tags: ['example', 'sample'],
    }
    const after = {
      title: 'Hello!',
      author: { givenName: 'John' },
      tags: ['example'],
      phoneNumber: '+01-123-456-7890',
    }
    expect(mergePatch(before, after)?.patch).toEqual({
      title: 'Hello!',
      author: { familyName: null },
      tags: ['example'],
      phoneNumber: '+01-123-456-7890',
    })
    expect(await delta({ a: 1 }, { a: null }, 'merge-patch')).toMatchObject({
      send: 'document',
      content: { a: null },
    })
  })

  test('a patch is sent where it takes fewer tokens than the document', async () => {
    const before = { text: 'a long text that stays as it is, word for word', n: 1 }
    expect(await delta(before, { ...before, n: 2 }, 'merge-patch')).toMatchObject({
      send: 'patch',
      contentType: 'application/merge-patch+json',
      content: { n: 2 },
    })
    expect(await delta({ n: 1 }, { n: 2 }, 'json-patch')).toMatchObject({
      send: 'document',
      content: { n: 2 },
    })
  })

  test('nothing is sent where nothing changed', async () => {
    expect(await delta({ a: 1, b: [] }, { b: [], a: 1 }, 'json-patch')).toMatchObject({
      send: 'nothing',
      tokens: 0,
    })
  })
})

test('a summary is of the sentences that others are like; a topic moves it', async () => {
  const text = 'Agents use caches. Caches hold capsules. Agents write logs. It rained.'
  const summaryOf = (budgetTokens: number, topic?: string) =>
    answerOf(
      extractiveSummary,
      { text, budgetTokens, topic },
      { damping: 0.85, dampingWithTopic: 0.3, minCosine: 0.05, maxCosine: 0.9, minShare: 0.5 },
    )
  // Two neighbours each way and a sentence apart: c = b + 2de, e = b + dc/2, i = b with b = 0.047619.
  expect((await summaryOf(100)).sentences).toEqual([
    { index: 0, weight: 0.4633 },
    { index: 1, weight: 0.2445 },
    { index: 2, weight: 0.2445 },
  ])
  expect((await summaryOf(5)).summary).toBe('Agents use caches.')
  expect((await summaryOf(6, 'capsules')).summary).toBe('Caches hold capsules.')
})

describe('passage-selection', () => {
  const choose = (texts: readonly string[], lambda: number, budgetTokens?: number) =>
    answerOf(
      passageSelection,
      { question: 'cat', passages: texts.map((text, index) => ({ id: `p${index}`, text })), budgetTokens },
      { lambda, first: 2, minShare: 0, k1: 1.2, b: 0.75 },
    )

  test('BM25 of one word in one of two texts of average length is ln 2', async () => {
    expect(await choose(['cat dog', 'dog dog'], 1)).toEqual({
      chosen: [{ id: 'p0', relevance: Number(Math.LN2.toFixed(4)), likeness: 0, tokens: 2 }],
      tokens: 2,
      unmatched: [],
    })
  })

  test('an echo is chosen by relevance alone, and gives way to another view otherwise', async () => {
    const texts = ['cat sat here', 'cat sat here', 'cat ran far away home']
    const ids = async (lambda: number) => (await choose(texts, lambda)).chosen.map(({ id }) => id)
    expect(await ids(1)).toEqual(['p0', 'p1'])
    expect(await ids(0.5)).toEqual(['p0', 'p2'])
    expect((await choose(texts, 1, 2)).chosen).toEqual([])
  })
})

describe('prompt-assembly', () => {
  const sections = [
    { name: 'A', priority: 1, summary: 'one two', full: 'one two three four five six' },
    { name: 'B', priority: 2, stable: true, summary: 'one', full: 'one two three four' },
  ]
  const depths = async (budgetTokens: number, deepen: 'one-by-one' | 'level-by-level') => {
    const answer = await answerOf(promptAssembly, { budgetTokens, sections }, { deepen })
    expect(answer.tokens).toBeLessThanOrEqual(budgetTokens)
    return answer.sections.map(({ name, depth }) => `${name} ${depth}`)
  }

  test('stable sections come first; depth goes by priority or level by level', async () => {
    expect(await depths(100, 'one-by-one')).toEqual(['B full', 'A full'])
    expect(await depths(12, 'one-by-one')).toEqual(['A full', 'B left-out'])
    expect(await depths(12, 'level-by-level')).toEqual(['B summary', 'A summary'])
    expect(await depths(3, 'level-by-level')).toEqual(['A left-out', 'B left-out'])
  })

  test('a required section that does not fit is refused', async () => {
    const required = [{ name: 'A', priority: 1, required: true, full: 'one two three' }]
    await expect(
      answerOf(promptAssembly, { budgetTokens: 3, sections: required }, { deepen: 'one-by-one' }),
    ).rejects.toThrow('the required section A does not fit')
  })
})

describe('cache-replay', () => {
  test("the textbook's twenty pages in three frames: FIFO faults 15 times, LRU 12, the best 9", async () => {
    const accesses = '70120304230321201701'.split('').map((key) => ({ key, tokens: 1 }))
    const { policies, best } = await answerOf(
      cacheReplay,
      { capacityTokens: 3, accesses },
      { policies: ['fifo', 'lru', 'clairvoyant'], judgeBy: 'hits' },
    )
    expect(policies.map(({ policy, hitPercent }) => [policy, hitPercent])).toEqual([
      ['clairvoyant', 55],
      ['lru', 40],
      ['fifo', 25],
    ])
    expect(best).toBe('lru')
  })

  test('another size is another version, and what is too large is never held', async () => {
    const accesses = [2, 2, 3, 3, 9, 9].map((tokens) => ({ key: 'a', tokens }))
    const { policies } = await answerOf(
      cacheReplay,
      { capacityTokens: 5, accesses },
      { policies: ['gdsf'], judgeBy: 'tokens' },
    )
    expect(policies).toEqual([
      { policy: 'gdsf', hitPercent: 33.3, tokenHitPercent: 17.9, evictions: 0, kept: [] },
    ])
  })
})

test('a capsule is named by its content, whatever the order of its members', async () => {
  const seal = (content: unknown, known?: { digest: string; parts: Record<string, string> }) =>
    answerOf(contextCapsule, { content, known }, { worthTokens: 5 })
  expect((await seal({})).digest).toBe(
    'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  )
  const { digest, parts, reference } = await seal({ b: [1, 2], a: { y: 1, x: 2.0 } })
  expect(reference).toBe(`{DATA:capsule:${digest.slice(7, 23)}}`)
  expect(await seal({ a: { x: 2, y: 1 }, b: [1, 2] }, { digest, parts })).toMatchObject({
    unchanged: true,
    changed: [],
  })
  expect(await seal({ a: { x: 2, y: 1 }, b: [2, 1], c: 0 }, { digest, parts })).toMatchObject({
    unchanged: false,
    changed: ['b', 'c'],
  })
})

describe('compact tables', () => {
  const compact = (rows: Parameters<typeof tableCompaction.run>[0]['rows']) =>
    answerOf(tableCompaction, { rows }, { minSavedPercent: 0 })
  const read = (table: string, rows?: Parameters<typeof tableCompaction.run>[0]['rows']) =>
    answerOf(tableVerification, { table, rows }, { maxDifferences: 5 })

  test('columns once, what is shared once, look-alikes told apart', async () => {
    const rows = [
      { id: 7, zip: '7', kind: 'x' },
      { id: 8, kind: 'x', note: 'a|b' },
      { id: 9, zip: null, kind: 'x', note: 'null' },
    ]
    const { content } = await compact(rows)
    expect(content).toBe('id|zip|note\n=kind|x\n7|"7"|\n8||"a|b"\n9|null|"null"')
    expect(await read(content, rows)).toMatchObject({ verdict: 'FAITHFUL', rows })
  })

  test.each([
    [[{ a: 1 }, { a: 1 }, { a: 1 }]],
    [
      [
        { '=a': '=b', 'x|y': '' },
        { '=a': ' c ', 'x|y': '"' },
      ],
    ],
    [[{ true: 'line\nbreak', '1': '\\' }, { true: '-0', '1': '1e5' }, {}]],
    [[{ n: -1.5e300 }, { n: 0.1 }, { n: false }, { n: '∑ é 😀\u2028' }]],
  ])('%j comes back as it was', async (rows) => {
    expect(await read(tableOf(rows), rows)).toMatchObject({ verdict: 'FAITHFUL', rows })
  })

  test('says which cell is not as it was, and which line cannot be read', async () => {
    expect(
      (
        await read('a|b\n1|x\n2|', [
          { a: 1, b: 'x' },
          { a: 2, b: 'y' },
        ])
      ).differences,
    ).toEqual([{ row: 1, column: 'b', expected: '"y"', actual: '' }])
    expect((await read('a|b\n1|x\n2|"y')).reason).toBe('line 3: a string has no end')
    expect((await read('a|b\n1|x|y')).reason).toBe('line 2: has 3 cells, expected 2')
  })
})

describe('fact-reconciliation', () => {
  const judge = (...values: (string | number | boolean)[]) =>
    answerOf(
      factReconciliation,
      {
        statements: values.map((value, index) => ({
          source: `s${index}`,
          subject: 'Gateway 1',
          attribute: index % 2 ? 'time-out' : 'Time out',
          value,
          ageMinutes: 10 - index,
        })),
      },
      { tolerance: 0.001 },
    )

  test.each([
    ['1.5 s', '1500 ms'],
    ['1 GiB', '1073741824 B'],
    ['5 %', 0.05],
    ['2026-12-08T01:00+01:00', '2026-12-08'],
    ['OSSA ', 'ossa'],
    [true, 'true'],
  ])('%s and %s are the same', async (a, b) => {
    expect(await judge(a, b)).toEqual({ contradictions: [], agreed: 1, unconfirmed: 0 })
  })

  test('the newest word comes first, units of different kinds are not the same', async () => {
    const { contradictions } = await judge('5 s', '5 MB', '5000 ms')
    expect(contradictions).toMatchObject([
      {
        values: [
          { value: '5000 ms', sources: ['s2', 's0'] },
          { value: '5 MB', sources: ['s1'] },
        ],
        tie: false,
      },
    ])
  })
})

test('tokens are counted by section, with blank space and repeated lines', async () => {
  const answer = await answerOf(
    tokenAccounting,
    {
      sections: [
        { name: 'a', text: 'hello world' },
        { name: 'b', text: 'hello   world\ngood morning' },
      ],
    },
    { windowTokens: 8, nearPercent: 80 },
  )
  expect(answer).toMatchObject({ tokens: 8, windowPercent: 100, state: 'NEAR' })
  expect(answer.sections).toMatchObject([
    { name: 'b', tokens: 6, blankTokens: 1, repeatedTokens: 3 },
    { name: 'a', tokens: 2, blankTokens: 0, repeatedTokens: 0, charactersPerToken: 5.5 },
  ])
})

test('a checkpoint has what is in force, not done and not answered', async () => {
  const answer = await answerOf(
    conversationCheckpoint,
    {
      turns: [
        {
          speaker: 'a',
          text: 'Decided: the region is eu. Todo: order the new keys.\nTodo: write the manual',
        },
        { speaker: 'b', text: 'Decidedly fine. Which region do guests use? Who pays the invoice?' },
        {
          speaker: 'a',
          text: 'Guests use the region us. Done: order the new keys. Decided: the region is us.',
        },
      ],
    },
    { decision: ['decided'], task: ['todo'], done: ['done'], sameAbout: 0.5, recentTurns: 0 },
  )
  expect(answer.memo).toBe(
    'Decided:\n- the region is us. (a)\nTo do:\n- write the manual (a)\nUnanswered:\n- Who pays the invoice? (b)',
  )
  expect(answer).toMatchObject({
    decisions: ['the region is us.'],
    openTasks: ['write the manual'],
    openQuestions: ['Who pays the invoice?'],
  })
})
