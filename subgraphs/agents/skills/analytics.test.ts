import { describe, expect, test } from 'vitest'
import { agentDiscovery } from './agent-discovery.ts'
import { anomalyDetection } from './anomaly-detection.ts'
import { correlation } from './correlation.ts'
import { costAttribution } from './cost-attribution.ts'
import { distributionSummary } from './distribution-summary.ts'
import { forecast } from './forecast.ts'
import { funnelAnalysis } from './funnel-analysis.ts'
import { logClustering } from './log-clustering.ts'
import { proportionTest } from './proportion-test.ts'
import { queueCapacity } from './queue-capacity.ts'
import { sloBurnRate } from './slo-burn-rate.ts'
import { answerOf } from './testing.ts'
import { trendTest } from './trend-test.ts'
import { usageReport } from './usage-report.ts'

test('one that takes all of four has a Gini coefficient of 0.75', async () => {
  const configuration = { quantiles: [0.5, 0.9], spread: 'gini' as const, target: 1 }
  expect(await answerOf(distributionSummary, { values: [0, 0, 0, 8] }, configuration)).toEqual({
    count: 4,
    mean: 2,
    maximum: 8,
    quantiles: { p50: 0, p90: 5.6 },
    spread: 0.75,
    abovePercent: 25,
  })
})

const indices = async (series: number[], configuration: Parameters<typeof anomalyDetection.run>[1]) =>
  (await answerOf(anomalyDetection, { series }, configuration)).anomalies.map(({ index }) => index)

describe('anomaly-detection', () => {
  test('a spike among equal values is found', async () => {
    const configuration = { method: 'median-absolute-deviation', threshold: 3.5 } as const
    expect(await indices([5, 5, 5, 5, 90, 5, 5, 5, 5, 5], configuration)).toEqual([4])
    expect(await indices([5, 5, 5, 5, 5], configuration)).toEqual([])
  })

  test('cusum tells one shift once, where it began', async () => {
    const series = [10, 11, 9, 10, 11, 9, 13, 13, 13, 13, 13, 13]
    expect(await indices(series, { method: 'cusum', threshold: 5, baseline: 6 })).toEqual([6])
  })

  test('a slow drift is for the smoothed chart, not for single values', async () => {
    const series = [10, 11, 9, 10, 11, 9, 10, 10, 11, 11.2, 11.4, 11.6, 11.8]
    expect(await indices(series, { method: 'median-absolute-deviation', threshold: 3.5 })).toEqual([])
    expect(await indices(series, { method: 'ewma', threshold: 3, baseline: 8, smoothing: 0.2 })).not.toEqual(
      [],
    )
  })
})

test('Holt-Winters goes on with a trend and a season that never fail', async () => {
  const series = Array.from({ length: 24 }, (_, index) => 100 + 2 * index + [0, 10, -10, 5][index % 4]!)
  const answer = await answerOf(
    forecast,
    { series },
    { method: 'holt-winters', season: 4, horizon: 4, holdout: 4, floor: null },
  )
  for (const [step, value] of answer.forecast.entries())
    expect(Math.abs(value - (100 + 2 * (24 + step) + [0, 10, -10, 5][step % 4]!))).toBeLessThan(2)
  expect(answer.backtest.useful).toBe(true)
})

test("Mann and Kendall's test of five rising values has p = 0.0275", async () => {
  const configuration = { significance: 0.05, concern: 'RISING', relevantPercent: 0 } as const
  expect(await answerOf(trendTest, { series: [1, 2, 3, 4, 5] }, configuration)).toEqual({
    trend: 'RISING',
    pValue: 0.02749,
    slope: 1,
    concern: true,
  })
  expect(await answerOf(trendTest, { series: [2, 2, 2, 2, 2] }, configuration)).toMatchObject({
    trend: 'NONE',
    pValue: 1,
  })
})

test('an alert fires only where both windows burn', async () => {
  const alerts = [
    { severity: 'PAGE' as const, longMinutes: 60, shortMinutes: 5, burnRate: 14.4 },
    { severity: 'TICKET' as const, longMinutes: 4320, shortMinutes: 360, burnRate: 1 },
  ]
  const evaluate = (badNow: number) =>
    answerOf(
      sloBurnRate,
      {
        windows: [
          { minutes: 5, requests: 1000, bad: badNow },
          { minutes: 60, requests: 10_000, bad: 200 },
        ],
      },
      { objective: 0.999, periodDays: 30, alerts },
    )
  expect(await evaluate(20)).toEqual({
    alert: 'PAGE',
    burnRates: { '5': 20, '60': 20 },
    exhaustedInHours: 36,
    notEvaluated: ['TICKET 4320/360 min'],
  })
  expect((await evaluate(0)).alert).toBe('NONE')
})

describe('queue-capacity', () => {
  test('Erlang C: of two Erlang on three workers, 4/9 wait', async () => {
    const answer = await answerOf(
      queueCapacity,
      { callsPerMinute: 60, meanSeconds: 2, workers: 3 },
      { model: 'waiting', serviceLevel: 0.99, withinSeconds: 0 },
    )
    expect(answer.currentServiceLevel).toBe(0.5556)
  })

  test('Erlang B: of two Erlang on two workers, 2/5 are lost', async () => {
    const answer = await answerOf(
      queueCapacity,
      { callsPerMinute: 60, meanSeconds: 2, workers: 2 },
      { model: 'loss', serviceLevel: 0.9, withinSeconds: 0 },
    )
    expect(answer).toMatchObject({ currentServiceLevel: 0.6, workersNeeded: 4 })
  })
})

test('lines that differ in numbers, addresses and ids are of one kind', async () => {
  const lines = [
    'user 17 from 10.0.0.1 opened 6f9619ff-8b86-4011-b42d-00c04fc964ff',
    'user 9 from 10.0.0.77 opened 7c9e6679-7425-40de-944b-e07fc1f90ae7',
    'shutting down',
  ]
  const answer = await answerOf(
    logClustering,
    { lines },
    { similarity: 0.9, prefixWords: 1, masks: ['uuid', 'ipv4', 'number'], order: 'most-frequent' },
  )
  expect(answer).toEqual({
    clusters: [
      { template: 'user <*> from <*> opened <*>', count: 2, example: 0 },
      { template: 'shutting down', count: 1, example: 2 },
    ],
    kinds: 2,
  })
})

test('what follows two steps later is found at lag 2', async () => {
  const x = [1, 5, 2, 8, 3, 9, 4, 1, 7, 2, 6, 3]
  const y = [0, 0, ...x.slice(0, -2).map((value) => value * 3 + 1)]
  expect(
    await answerOf(correlation, { x, y }, { method: 'pearson', maxLag: 4, significance: 0.01 }),
  ).toMatchObject({ coefficient: 1, lag: 2, related: true })
})

const experiment = (scale: number) =>
  answerOf(
    proportionTest,
    {
      control: { trials: 100 * scale, successes: 43 * scale },
      variant: { trials: 100 * scale, successes: 48 * scale },
    },
    { question: 'different', significance: 0.05, margin: 0, minimumTrials: 50 },
  )

test('430 against 480 of a thousand is a difference at 5 %, of a hundred it is not', async () => {
  expect(await experiment(10)).toMatchObject({ verdict: 'BETTER', pValue: 0.02476 })
  expect(await experiment(1)).toMatchObject({ verdict: 'UNDECIDED' })
})

test('shares of a bill sum to the bill', async () => {
  const consumers = [3, 5, 7].map((tokens, index) => ({ name: `c${index}`, use: { tokens, calls: index } }))
  const { shares } = await answerOf(
    costAttribution,
    { cents: 10_007, consumers },
    { drivers: { tokens: 2, calls: 1, storage: 5 }, fixedPercent: 10 },
  )
  expect(shares.reduce((total, { cents }) => total + cents, 0)).toBe(10_007)
  expect(shares.map(({ name }) => name)).toEqual(['c2', 'c1', 'c0'])
})

test('a step counts only after the one before it, and in time', async () => {
  const events = [
    { subject: 'a', step: 'in', hour: 0 },
    { subject: 'a', step: 'out', hour: 2 },
    { subject: 'b', step: 'out', hour: 0 },
    { subject: 'b', step: 'in', hour: 1 },
    { subject: 'c', step: 'in', hour: 0 },
    { subject: 'c', step: 'out', hour: 30 },
  ]
  expect(await answerOf(funnelAnalysis, { events }, { steps: ['in', 'out'], withinHours: 24 })).toMatchObject(
    {
      steps: [
        { step: 'in', reached: 3 },
        { step: 'out', reached: 1, percent: 33.3 },
      ],
      medianHours: 2,
    },
  )
})

const node = (key: string, calls: number, errors: number) => ({
  node: { key, usage: { calls, errors, tokensIn: 10, tokensOut: 5, p95LatencyMs: null } },
})

const edge = (id: string, score: number) => ({ score, node: { id, status: 'ACTIVE', pool: null } })

describe('over the graph', () => {
  test('a usage report asks for the period and puts what fails most first', async () => {
    const asked: unknown[] = []
    const answer = await answerOf(
      usageReport,
      { hours: 2, pool: 'analytics' },
      { groupBy: 'AGENT', order: 'errorPercent', first: 1 },
      (_query, variables) => {
        asked.push(variables)
        return Promise.resolve({ usage: { totalCount: 2, edges: [node('a', 10, 1), node('b', 4, 2)] } })
      },
    )
    expect(asked).toEqual([
      { filter: { from: '2026-11-23T10:00:00.000Z', pool: 'analytics' }, groupBy: 'AGENT' },
    ])
    expect(answer).toEqual({
      groups: [{ key: 'b', calls: 4, errorPercent: 50, tokens: 15, p95LatencyMs: null }],
      totals: { groups: 2, calls: 14, errors: 3, tokens: 30 },
    })
  })

  test('discovery leaves out what is excluded and what is far behind', async () => {
    const answer = await answerOf(
      agentDiscovery,
      { need: 'split a budget', exclude: ['b'] },
      { first: 5, keepAbove: 0.5, filter: {} },
      () =>
        Promise.resolve({
          discoverAgents: { totalCount: 9, edges: [edge('a', 0.9), edge('b', 0.8), edge('c', 0.2)] },
        }),
    )
    expect(answer).toEqual({ candidates: [{ agent: 'a', pool: null, score: 0.9 }], searched: 9 })
  })
})
