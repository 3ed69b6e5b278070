import { expect, test } from 'vitest'
import { faultsIn, type History, printFault, type Received } from './history.ts'

const commits = Array.from({ length: 9 }, (_, index) => ({
  key: 'plan',
  version: index + 1,
  mark: `m${index + 1}`,
}))

/** One subscriber's, told as `OPEN`, `OPEN 5` with the cursor of version 5, `DELTA 6`, `DELTA 6 m7` with a foreign mark. */
function historyOf(acknowledged: number, ...lines: string[]): History {
  let connection = 0
  const subscribed = { subscriber: 'anna', key: 'plan' }
  return {
    acknowledged: commits
      .slice(0, acknowledged)
      .map((commit, index) => ({ ...commit, where: `a:${index + 1}` })),
    stored: commits,
    received: lines.map((line, index) => {
      const [kind, version, mark = `m${version}`] = line.split(' ')
      const where = `r:${index + 1}`
      if (kind === 'OPEN') connection++
      return kind === 'OPEN'
        ? {
            ...subscribed,
            connection,
            kind,
            instance: 'one',
            after: version === undefined ? null : Number(version),
            where,
          }
        : kind === 'REFUSED'
          ? { ...subscribed, connection, kind, reason: 'none', where }
          : {
              ...subscribed,
              connection,
              kind: kind as Received['kind'],
              version: Number(version),
              mark,
              cursor: `c${version}`,
              where,
            }
    }),
  }
}

const found = (acknowledged: number, ...lines: string[]) =>
  faultsIn(historyOf(acknowledged, ...lines)).map(printFault)

test.each([
  ['deltas follow the snapshot', 5, ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'DELTA 5']],
  ['a snapshot has all that was before', 5, ['OPEN', 'SNAPSHOT 5']],
  ['a cursor goes on where it ended', 5, ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'OPEN 4', 'DELTA 5']],
  ['a cursor that is too old becomes a resync', 6, ['OPEN', 'SNAPSHOT 3', 'OPEN 3', 'RESYNC 5', 'DELTA 6']],
  ['a resync covers what was left out', 7, ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'RESYNC 7']],
  ['a resync may find nothing new', 4, ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'RESYNC 4']],
  ['a refusal takes nothing', 5, ['OPEN', 'SNAPSHOT 4', 'OPEN 4', 'REFUSED', 'OPEN 4', 'DELTA 5']],
  ['without a cursor it begins anew', 5, ['OPEN', 'SNAPSHOT 3', 'OPEN', 'SNAPSHOT 5']],
  ['pauses repeat the last result', 5, ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'PAUSED 4', 'RESUMED 4', 'DELTA 5']],
  ['what nobody acknowledged may be given', 4, ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'DELTA 5']],
  ['what nobody acknowledged may be missing', 4, ['OPEN', 'SNAPSHOT 3', 'DELTA 4']],
])('no fault: %s', (_, acknowledged, lines) => {
  expect(found(acknowledged, ...lines)).toEqual([])
})

test.each([
  [
    'the last event is lost',
    ['OPEN', 'SNAPSHOT 3', 'DELTA 4'],
    'r:3: anna, plan, version 5: lost, acknowledged, and not given until the end',
  ],
  [
    'nothing ever came',
    ['OPEN'],
    'r:1: anna, plan, versions 1 to 5: lost, acknowledged, and not given until the end',
  ],
  ['a hole', ['OPEN', 'SNAPSHOT 2', 'DELTA 5'], 'r:3: anna, plan, versions 3 to 4: hole, passed over'],
  [
    'a repeated delta',
    ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'DELTA 4', 'DELTA 5'],
    'r:4: anna, plan, version 4: twice, given again as a delta',
  ],
  [
    'a delta that the snapshot has',
    ['OPEN', 'SNAPSHOT 4', 'DELTA 4', 'DELTA 5'],
    'r:3: anna, plan, version 4: twice, given again as a delta',
  ],
  [
    'what the cursor has comes again',
    ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'OPEN 4', 'DELTA 4', 'DELTA 5'],
    'r:5: anna, plan, version 4: twice, given again as a delta',
  ],
  [
    'lost after a resume',
    ['OPEN', 'SNAPSHOT 3', 'OPEN 3', 'DELTA 5'],
    'r:4: anna, plan, version 4: hole, passed over',
  ],
  [
    'a mark of another version',
    ['OPEN', 'SNAPSHOT 3', 'DELTA 4 m5', 'DELTA 5'],
    'r:3: anna, plan, version 4: phantom, given, and never committed so',
  ],
  [
    'a version that never was',
    ['OPEN', 'SNAPSHOT 9', 'DELTA 10'],
    'r:3: anna, plan, version 10: phantom, given, and never committed so',
  ],
  [
    'a resync that goes back',
    ['OPEN', 'SNAPSHOT 3', 'DELTA 4', 'DELTA 5', 'RESYNC 4'],
    'r:5: anna, plan, versions 4 to 5: backwards, went back, behind what was given before',
  ],
  [
    'a snapshot that goes back',
    ['OPEN', 'SNAPSHOT 5', 'OPEN', 'SNAPSHOT 3', 'DELTA 4', 'DELTA 5'],
    'r:4: anna, plan, versions 3 to 5: backwards, went back, behind what was given before',
  ],
  [
    'a pause that tells something new',
    ['OPEN', 'SNAPSHOT 3', 'PAUSED 4', 'DELTA 5'],
    'r:3: anna, plan, version 4: hole, passed over',
  ],
  [
    'no snapshot where there was no cursor',
    ['OPEN', 'DELTA 5'],
    'r:2: anna, plan, version 5: no snapshot, did not begin with a snapshot',
  ],
  [
    'a subscriber that forgot its last result',
    ['OPEN', 'SNAPSHOT 4', 'DELTA 5', 'OPEN 4'],
    "r:4: anna, plan, version 4: wrong cursor, came back with a cursor that is not the last result's",
  ],
])('a fault: %s', (_, lines, expected) => {
  expect(found(5, ...lines)).toContain(expected)
})

test('a reordered pair is a hole and a late one', () => {
  expect(found(5, 'OPEN', 'SNAPSHOT 2', 'DELTA 4', 'DELTA 3', 'DELTA 5')).toEqual([
    'r:3: anna, plan, version 3: hole, passed over',
    'r:4: anna, plan, version 3: late, given after what came later',
  ])
})

test('an acknowledged commit that the database does not have', () => {
  const history = historyOf(5, 'OPEN', 'SNAPSHOT 5')
  history.stored = history.stored.filter(({ version }) => version !== 4)
  expect(faultsIn(history).map(printFault)).toEqual([
    'a:4: the database, plan, version 4: undone, acknowledged, and not in the database',
  ])
})

test('subscribers are told apart, and keys', () => {
  const history = historyOf(5, 'OPEN', 'SNAPSHOT 4', 'DELTA 5')
  const others = history.received.map((line) => ({ ...line, subscriber: 'boris', where: `b${line.where}` }))
  expect(faultsIn({ ...history, received: [...history.received, ...others.slice(0, -1)] })).toEqual([
    { what: 'lost', subscriber: 'boris', key: 'plan', versions: [5, 5], where: 'br:2' },
  ])
})
