import { describe, expect, test } from 'vitest'
import { assignment } from './assignment.ts'
import { banditRouting } from './bandit-routing.ts'
import { budgetAllocation } from './budget-allocation.ts'
import { criticalPath } from './critical-path.ts'
import { multiCriteriaRanking } from './multi-criteria-ranking.ts'
import { pairwiseRating } from './pairwise-rating.ts'
import { rendezvousHashing } from './rendezvous-hashing.ts'
import { responseTuning } from './response-tuning.ts'
import { routeSearch } from './route-search.ts'
import { taskDecomposition } from './task-decomposition.ts'
import { answerOf } from './testing.ts'
import { vectorPacking } from './vector-packing.ts'

/** Deterministic figures from 0 to 19. */
const figures = (count: number, seed: number) =>
  Array.from({ length: count }, (_, index) => ((index + 1) * (seed * 7919 + 104_729)) % 20)

describe('bandit-routing', () => {
  const weights = { success: 1, latency: 0, cost: 0 }
  const arms = [
    { agent: 'long', calls: 500, successes: 480, latencyMs: 100, cost: 1 },
    { agent: 'short', calls: 5, successes: 5, latencyMs: 100, cost: 1 },
  ]
  const choose = async (policy: 'ucb1' | 'kl-ucb' | 'wilson-lower-bound' | 'greedy') =>
    (await answerOf(banditRouting, { arms }, { policy, exploration: 1.96, weights })).choice

  test('optimists try the short record, the cautious trust the long one', async () => {
    expect(await choose('ucb1')).toBe('short')
    expect(await choose('greedy')).toBe('short')
    expect(await choose('wilson-lower-bound')).toBe('long')
  })

  test('the Wilson bound is the textbook figure', async () => {
    const { ranking } = await answerOf(
      banditRouting,
      { arms: [{ agent: 'a', calls: 10, successes: 8, latencyMs: 0, cost: 0 }] },
      { policy: 'wilson-lower-bound', exploration: 1.96, weights },
    )
    expect(ranking[0]?.index).toBe(0.4902)
  })
})

test('TOPSIS puts what is best everywhere at 1 and what is worst everywhere at 0', async () => {
  const answer = await answerOf(
    multiCriteriaRanking,
    {
      alternatives: [
        { name: 'worst', values: { speed: 1, price: 9 } },
        { name: 'best', values: { speed: 5, price: 2 } },
      ],
    },
    {
      method: 'topsis',
      criteria: [
        { name: 'speed', weight: 1, better: 'higher' },
        { name: 'price', weight: 3, better: 'lower' },
      ],
    },
  )
  expect(answer).toEqual({
    best: 'best',
    decidedBy: 'price',
    ranking: [
      { name: 'best', score: 1 },
      { name: 'worst', score: 0 },
    ],
  })
})

const twoWays = [
  { agent: 'direct', needs: ['a'], gives: ['c'], cost: 10 },
  { agent: 'first', needs: ['a'], gives: ['b'], cost: 2 },
  { agent: 'second', needs: ['b'], gives: ['c'], cost: 3 },
]

const plan = (prefer: 'fewest-steps' | 'lowest-cost') =>
  answerOf(taskDecomposition, { goal: 'c', have: ['a'], capabilities: twoWays }, { prefer, maxSteps: 5 })

describe('task-decomposition', () => {
  test('what is preferred decides between a dear step and two cheap ones', async () => {
    expect((await plan('fewest-steps')).levels).toEqual([['direct']])
    expect(await plan('lowest-cost')).toEqual({
      reachable: true,
      levels: [['first'], ['second']],
      cost: 5,
      missing: [],
    })
  })

  test('two capabilities that wait for each other reach nothing', async () => {
    const answer = await answerOf(
      taskDecomposition,
      {
        goal: 'x',
        have: [],
        capabilities: [
          { agent: 'p', needs: ['y'], gives: ['x'], cost: 1 },
          { agent: 'q', needs: ['x'], gives: ['y'], cost: 1 },
        ],
      },
      { prefer: 'lowest-cost', maxSteps: 5 },
    )
    expect(answer.reachable).toBe(false)
  })
})

describe('critical-path', () => {
  const tasks = [
    { name: 'a', duration: 3, after: [] },
    { name: 'b', duration: 2, after: [] },
    { name: 'c', duration: 4, after: ['a', 'b'] },
  ]
  test('slack is on the shorter branch', async () => {
    const answer = await answerOf(criticalPath, { tasks }, { estimate: 'single', workers: null })
    expect(answer.criticalPath).toEqual(['a', 'c'])
    expect(answer.schedule.map(({ task, slack }) => [task, slack])).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 0],
    ])
  })

  test('one worker does one thing after the other', async () => {
    const answer = await answerOf(criticalPath, { tasks }, { estimate: 'single', workers: 1 })
    expect(answer.length).toBe(9)
  })

  test('a circle is refused by name', () => {
    const circle = { tasks: [{ name: 'a', duration: 1, after: ['a'] }] }
    expect(criticalPath.input.safeParse(circle).error?.issues[0]?.message).toBe(
      'a wait for each other in a circle',
    )
  })
})

describe('assignment', () => {
  const permutations = (items: number[]): number[][] =>
    items.length === 0
      ? [[]]
      : items.flatMap((first) =>
          permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
        )

  test('finds what trying every permutation finds', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const scores = [0, 1, 2, 3, 4].map((row) => figures(5, seed + row * 3))
      const totals = permutations([0, 1, 2, 3, 4]).map((order) =>
        order.reduce((total, column, row) => total + scores[row]![column]!, 0),
      )
      const names = scores.map((_, index) => ({ name: `n${index}` }))
      const total = async (objective: 'lowest-total' | 'highest-total') =>
        (
          await answerOf(
            assignment,
            { agents: names, tasks: names, scores },
            { objective, forbid: 'nothing' },
          )
        ).total
      expect(await total('lowest-total')).toBe(Math.min(...totals))
      expect(await total('highest-total')).toBe(Math.max(...totals))
    }
  })
})

describe('budget-allocation', () => {
  test('the knapsack finds what trying every subset finds', async () => {
    const amounts = figures(8, 5).map((figure) => figure + 3)
    const values = figures(8, 6).map((figure) => figure + 1)
    const requests = amounts.map((amount, index) => ({ name: `r${index}`, amount, value: values[index]! }))
    const worth = Array.from({ length: 2 ** 8 }, (_, subset) => {
      const chosen = requests.filter((_request, index) => subset & (1 << index))
      const needed = chosen.reduce((total, { amount }) => total + amount, 0)
      return needed <= 30 ? chosen.reduce((total, { value }) => total + value, 0) : 0
    })
    const answer = await answerOf(
      budgetAllocation,
      { budget: 30, requests },
      { method: 'knapsack', reservePercent: 0 },
    )
    expect(answer.value).toBe(Math.max(...worth))
    expect(answer.granted).toBeLessThanOrEqual(30)
  })

  test('max-min fairness meets small wishes and halves the rest', async () => {
    const requests = [1, 10, 10].map((amount, index) => ({ name: `r${index}`, amount, value: 1 }))
    const answer = await answerOf(
      budgetAllocation,
      { budget: 10, requests },
      { method: 'max-min-fair', reservePercent: 0 },
    )
    expect(answer.grants.map(({ amount }) => amount)).toEqual([1, 5, 4])
  })
})

test('a route avoids what it must, and its backup shares no link with it', async () => {
  const links = [
    { from: 'a', to: 'b', weight: 1 },
    { from: 'b', to: 'd', weight: 1 },
    { from: 'a', to: 'c', weight: 2 },
    { from: 'c', to: 'd', weight: 2 },
  ]
  const configuration = { measure: 'shortest', backup: true, maxHops: 5 } as const
  expect(await answerOf(routeSearch, { from: 'a', to: 'd', links }, configuration)).toEqual({
    path: ['a', 'b', 'd'],
    total: 2,
    backup: ['a', 'c', 'd'],
  })
  expect(
    (await answerOf(routeSearch, { from: 'a', to: 'd', links, avoid: ['b'] }, configuration)).path,
  ).toEqual(['a', 'c', 'd'])
})

const tune = (settings: number[]) =>
  answerOf(
    responseTuning,
    { observations: settings.map((setting) => ({ setting, result: 50 - (setting - 12) ** 2 })) },
    { goal: 'highest', lower: 0, upper: 100, step: 1 },
  )

test('tuning finds the vertex of a parabola and does not look past what was tried', async () => {
  expect(await tune([4, 8, 20])).toMatchObject({
    recommended: 12,
    predicted: 50,
    rSquared: 1,
    where: 'INSIDE',
  })
  expect(await tune([2, 4, 6])).toMatchObject({ recommended: 6, where: 'AT_EDGE_OF_TRIED' })
})

test('Bradley-Terry does not depend on the order of the matches', async () => {
  const matches = [
    { winner: 'a', loser: 'b' },
    { winner: 'b', loser: 'c' },
    { winner: 'a', loser: 'c' },
    { winner: 'c', loser: 'b' },
  ]
  const rate = (ordered: typeof matches) =>
    answerOf(pairwiseRating, { matches: ordered }, { method: 'bradley-terry', base: 1000, k: 1 })
  expect(await rate(matches.toReversed())).toEqual(await rate(matches))
})

test('when a node goes, only its own keys move', async () => {
  const nodes = ['n1', 'n2', 'n3', 'n4'].map((name) => ({ name, weight: 1 }))
  const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`)
  const place = async (there: typeof nodes) =>
    (await answerOf(rendezvousHashing, { keys, nodes: there }, { copies: 1, space: 'test' })).placements
  const before = await place(nodes)
  const after = await place(nodes.slice(0, 3))
  for (const [index, { nodes: chosen }] of before.entries())
    if (chosen[0] !== 'n4') expect(after[index]!.nodes).toEqual(chosen)
  expect(before.filter(({ nodes: chosen }) => chosen[0] === 'n4').length).toBeGreaterThan(10)
})

test('no bin is fuller than it may be, and nothing is lost', async () => {
  const items = figures(30, 8).map((figure, index) => ({
    name: `i${index}`,
    needs: { cpu: figure + 1, memory: 20 - figure },
  }))
  const { bins, lowerBound } = await answerOf(
    vectorPacking,
    { items },
    { strategy: 'best-fit-decreasing', capacity: { cpu: 25, memory: 25 } },
  )
  const needs = new Map(items.map((item) => [item.name, item.needs]))
  for (const bin of bins)
    for (const dimension of ['cpu', 'memory'] as const)
      expect(bin.reduce((total, name) => total + needs.get(name)![dimension], 0)).toBeLessThanOrEqual(25)
  expect(bins.flat().toSorted()).toEqual(items.map((item) => item.name).toSorted())
  expect(bins.length).toBeGreaterThanOrEqual(lowerBound)
})
