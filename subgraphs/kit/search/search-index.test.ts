import { expect, test } from 'vitest'
import { createSearchIndex, type Entry, type Search, type SearchIndex } from './search-index.ts'
import { testDimensions, testVector } from './testing.ts'
import { packed } from './vectors.ts'

type Facts = { pool: string }
const fields = [
  { name: 'name', weight: 2 },
  { name: 'description', weight: 1 },
]

const entry = (id: string, description: string, more: Partial<Entry<Facts>> = {}): Entry<Facts> => ({
  id,
  texts: [id.replaceAll('-', ' '), description],
  examples: [],
  audience: 'public',
  facts: { pool: 'a' },
  ...more,
})

const vectorsOf = ({ texts, examples }: Entry<Facts>) =>
  [texts.join(' '), ...examples].map((text) => packed(testVector(text)))

function indexOf(entries: readonly Entry<Facts>[], exactUpTo?: number): SearchIndex<Facts> {
  const index = createSearchIndex<Facts>({
    fields,
    facets: { names: ['pool'], valuesOf: ({ pool }) => [pool] },
    dimensions: testDimensions,
    ...(exactUpTo === undefined ? {} : { exactUpTo }),
  })
  for (const each of entries) index.put(each, vectorsOf(each))
  return index
}

/** All that an answer tells. */
function answerOf(index: SearchIndex<Facts>, search: Search<Facts>) {
  const { has, ids, facets: counts, explain, ...answer } = index.search(search)
  const found = ids().filter(has).toSorted()
  return { ...answer, ids: found, counts: counts(), explained: found.map(explain) }
}

const byWords = (query: string, more: Partial<Search<Facts>> = {}): Search<Facts> => ({
  query,
  vector: null,
  sees: (audience) => audience === 'public',
  fits: null,
  first: 10,
  ...more,
})
const byMeaning = (query: string, more: Partial<Search<Facts>> = {}) =>
  byWords(query, { vector: testVector(query), ...more })

const agents = [
  entry('secret-scanner', 'Finds leaked credentials in source code.', {
    examples: ['Is there a password in this repository?', 'Scan my commit.'],
  }),
  entry('forecaster', 'Predicts tomorrow’s load from past days.', { facts: { pool: 'b' } }),
  entry('translator', 'Turns texts of one language into another.', { examples: ['Put this into French.'] }),
  entry('code-reviewer', 'Reads code and says what is wrong with it.', { facts: { pool: 'b' } }),
]

test('the reasons say which word was found where, and what the query is most like', () => {
  const { found, totalCount } = indexOf(agents).search(byWords('Who scans code for secrets?'))
  expect(found.map(({ id, reasons }) => [id, reasons])).toEqual([
    ['secret-scanner', ['code: description', 'secrets: name']],
    ['code-reviewer', ['code: name, description']],
  ])
  expect(totalCount).toBe(2)
  const [best] = indexOf(agents).search(byMeaning('Put this into French.')).found
  expect(best).toEqual({
    id: 'translator',
    score: expect.closeTo(0.7, 2),
    reasons: ['like its example “Put this into French.” (1.00)'],
  })
})

test('a word that nobody has is read as the nearest one, a word that somebody has is not', () => {
  const index = indexOf(agents)
  expect(index.search(byWords('forcaster')).found).toEqual([
    { id: 'forecaster', score: 1, reasons: ['forcaster (read as forecaster): name'] },
  ])
  expect(index.search(byWords('leaked credentails')).found[0]?.reasons).toEqual([
    'leaked: description',
    'credentails (read as credentials): description',
  ])
  expect(index.search(byWords('load')).found.map(({ id }) => id)).toEqual(['forecaster'])
  expect(index.search(byWords('xylophone')).totalCount).toBe(0)
})

test('nothing of what a caller may not see is in the answer: not in counts, order, scores or reasons', () => {
  const hidden = Array.from({ length: 40 }, (_, n) =>
    entry(`hidden-${n}`, `Scans credentials and is forecasting code number ${n} of foo bar credentails`, {
      audience: n % 2 === 0 ? 'secret' : 'other',
      examples: ['Is there a password in this code?', 'scan credentials'],
    }),
  )
  const [alone, aloneEstimates] = [indexOf(agents), indexOf(agents, 0)]
  const mixed = indexOf([...hidden.slice(0, 20), ...agents, ...hidden.slice(20)])
  const mixedEstimates = indexOf([...hidden.slice(0, 20), ...agents, ...hidden.slice(20)], 0)
  for (const query of ['scan code', 'credentails', 'forcasts of load', 'a password', 'number', 'hiden foo']) {
    for (const search of [byWords(query), byMeaning(query), byMeaning(query, { first: 1 })]) {
      expect(answerOf(mixed, search)).toEqual(answerOf(alone, search))
      expect(answerOf(mixedEstimates, search)).toEqual(answerOf(aloneEstimates, search))
    }
    const fits = ({ pool }: Facts) => pool === 'b'
    expect(answerOf(mixed, byMeaning(query, { fits }))).toEqual(answerOf(alone, byMeaning(query, { fits })))
  }
  expect(mixed.search(byWords('hidden', { sees: () => true })).totalCount).toBe(40)
})

test('a filter leaves out what does not fit, and changes neither what words weigh nor which are known', () => {
  const fits = ({ pool }: Facts) => pool === 'b'
  const { found, totalCount } = indexOf(agents).search(byWords('finds code', { fits }))
  expect(found.map(({ id, reasons }) => [id, reasons])).toEqual([
    ['code-reviewer', ['code: name, description']],
  ])
  expect(totalCount).toBe(1)
})

test('what is replaced is found as it is now, with its facts, its audience and its vectors', () => {
  const index = indexOf(agents)
  index.put(entry('forecaster', 'Predicts the weather.'), null)
  expect(index.search(byWords('load')).totalCount).toBe(0)
  expect(index.search(byMeaning('weather')).found[0]).toMatchObject({
    id: 'forecaster',
    reasons: ['weather: description'],
  })
  index.put(
    entry('forecaster', 'Predicts the weather.'),
    vectorsOf(entry('forecaster', 'Predicts the weather.')),
  )
  expect(index.search(byMeaning('weather')).found[0]?.reasons).toHaveLength(2)
  index.put(entry('forecaster', 'Predicts the weather.', { audience: 'secret' }), null)
  expect(index.search(byMeaning('weather')).found.map(({ id }) => id)).not.toContain('forecaster')
  expect(index.size()).toBe(4)
})

test('after many replacements the answers are those of an index made anew', () => {
  const index = indexOf(agents)
  for (let n = 0; n < 1_500; n++) {
    const changing = entry('forecaster', `Version ${n} of something that predicts.`)
    index.put(changing, vectorsOf(changing))
  }
  const last = entry('forecaster', 'Predicts tomorrow’s load from past days.', { facts: { pool: 'b' } })
  index.put(last, vectorsOf(last))
  for (const query of ['predict load', 'code', 'version'])
    expect(answerOf(index, byMeaning(query))).toEqual(answerOf(indexOf(agents), byMeaning(query)))
})

test('estimated and compared exactly again, the best are the same', () => {
  const many = Array.from({ length: 3_000 }, (_, n) =>
    entry(`agent-${n}`, `does ${n % 50} things with part ${n % 77} of ${n % 13}`, { examples: [`do ${n}`] }),
  )
  const [exact, estimated] = [indexOf(many), indexOf(many, 100)]
  for (const query of ['does part', 'things with something', 'do it'])
    expect(estimated.search(byMeaning(query)).found[0]).toEqual(exact.search(byMeaning(query)).found[0])
})

test('a query without any word finds nothing', () => {
  expect(answerOf(indexOf(agents), byMeaning('& | !'))).toMatchObject({ found: [], totalCount: 0, ids: [] })
})

test('pages follow each other, exact or estimated, and all that fit are on them once', () => {
  const letters = (n: number) => n.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)]!)
  const many = Array.from({ length: 2_500 }, (_, n) =>
    entry(`agent-${n}`, `does ${letters(n % 50)} with part ${letters(n)}`, { examples: [letters(7 * n)] }),
  )
  for (const index of [indexOf(many), indexOf(many, 100)]) {
    const whole = index.search(byMeaning('does part', { first: 2_500 }))
    for (const first of [1, 300, 1_000, 1_300])
      expect(index.search(byMeaning('does part', { first })).found).toEqual(whole.found.slice(0, first))
    expect(whole.found).toHaveLength(whole.totalCount)
    expect(whole.found.map(({ id }) => id).toSorted()).toEqual(whole.ids().toSorted())
    const scores = whole.found.map(({ score }) => score)
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
  }
})

test('an answer tells the same of each that fits after others have asked something else', () => {
  const many = Array.from({ length: 1_500 }, (_, n) =>
    entry(`agent-${n}`, `does ${n % 7} things, ${n % 3 === 0 ? 'part by part' : 'as a whole'}`, {
      examples: [`do ${n}`],
    }),
  )
  for (const index of [indexOf(many), indexOf(many, 100)])
    for (const search of [
      byWords('agent part', { first: 1_500 }),
      byMeaning('agent part', { first: 1_500 }),
    ]) {
      const answer = index.search(search)
      expect(answer.found.length).toBeGreaterThan(1_000)
      index.search(byMeaning('whole 5'))
      index.search(byWords('whole'))
      expect(answer.found.map(({ id }) => answer.explain(id))).toEqual(answer.found)
    }
})

test('what is removed is not found, and what takes its place is', () => {
  const index = indexOf(agents)
  index.remove('forecaster')
  index.remove('nobody')
  expect(index.get('forecaster')).toBeNull()
  expect(answerOf(index, byMeaning('predicts load'))).toEqual(
    answerOf(indexOf(agents.filter(({ id }) => id !== 'forecaster')), byMeaning('predicts load')),
  )
  index.put(entry('forecaster', 'Predicts the weather.'), null)
  expect(index.search(byWords('weather')).found.map(({ id }) => id)).toEqual(['forecaster'])
})

test('an answer tells of what fits as it was found, whatever becomes of the index', () => {
  const index = indexOf(agents)
  expect(index.search(byWords('reads code')).explain('translator')).toBeNull()
  const answer = index.search(byWords('code, past days, texts', { first: 1 }))
  expect(answer.totalCount).toBe(4)
  const [first] = answer.found
  expect(answer.explain(first!.id)).toEqual(first)
  expect(['code-reviewer', 'nobody'].map(answer.has)).toEqual([true, false])
  expect(index.search(byWords('reads code')).has('translator')).toBe(false)
  for (let n = 0; n < 1_500; n++) index.put(entry('forecaster', `Version ${n}.`), null)
  index.remove('secret-scanner')
  expect(answer.explain('code-reviewer')).toBeNull()
  expect(answer.ids()).toContain('code-reviewer')
  expect(['code-reviewer', 'nobody'].map(answer.has)).toEqual([true, false])
  expect(answer.facets()).toEqual([
    {
      name: 'pool',
      values: expect.arrayContaining([{ value: 'b', count: expect.any(Number) }]),
    },
  ])
})

test('all that fit are counted without a query, of what the caller may see', () => {
  const hidden = entry('hidden', 'Hides.', { audience: 'secret', facts: { pool: 'c' } })
  const index = indexOf([...agents, hidden])
  const sees = (audience: string) => audience === 'public'
  const { totalCount, facets: counts } = index.all({ sees, fits: null })
  expect([totalCount, counts()]).toEqual([
    4,
    [
      {
        name: 'pool',
        values: [
          { value: 'a', count: 2 },
          { value: 'b', count: 2 },
        ],
      },
    ],
  ])
  expect(
    index
      .all({ sees, fits: ({ pool }) => pool === 'a' })
      .ids()
      .toSorted(),
  ).toEqual(['secret-scanner', 'translator'])
})

test('the last word may be the beginning of one, where it is being typed', () => {
  const index = indexOf(agents)
  const found = (query: string, isTyping = true) =>
    index.search(byWords(query, { isTyping })).found.map(({ id }) => id)
  expect(found('crede')).toEqual(['secret-scanner'])
  expect(index.search(byWords('crede', { isTyping: true })).found[0]?.reasons).toEqual([
    'crede (read as credentials): description',
  ])
  expect(found('crede', false)).toEqual([])
  expect(found('crede xylophone')).toEqual([])
  expect(found('crede ')).toEqual([])
})

test('an answer tells how much of the question it covers', () => {
  const index = indexOf(agents)
  expect(index.search(byWords('code and xylophones')).cover).toEqual({ asked: 2, known: 1, likeness: null })
  const { cover } = index.search(byMeaning('Put this into French.'))
  expect(cover.likeness).toBeGreaterThan(0.4)
})

test('equals have one order, whichever was read first', () => {
  const same = ['xc', 'xa', 'xd', 'xb'].map((id) => entry(id, 'Sorts letters.'))
  const found = (order: Entry<Facts>[], first: number) =>
    indexOf(order)
      .search(byWords('letters', { first }))
      .found.map(({ id }) => id)
  const whole = found(same, 4)
  expect(whole.toSorted()).toEqual(['xa', 'xb', 'xc', 'xd'])
  for (const order of [same, same.toReversed()])
    for (const first of [1, 2, 4]) expect(found(order, first)).toEqual(whole.slice(0, first))
})
