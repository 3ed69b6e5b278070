import { expect, test } from 'vitest'
import { packageOf } from './package.ts'
import { compareVersions, isAffected } from './versions.ts'

test.each([
  ['pkg:npm/%40angular/core@1.2.3', { ecosystem: 'npm', name: '@angular/core', version: '1.2.3' }],
  ['pkg:maven/org.a/b@1.0?type=jar', { ecosystem: 'Maven', name: 'org.a:b', version: '1.0' }],
  ['pkg:pypi/Snake_Charmer@1', { ecosystem: 'PyPI', name: 'snake-charmer', version: '1' }],
  ['pkg:golang/github.com/a/b@v1.2.3', { ecosystem: 'Go', name: 'github.com/a/b', version: 'v1.2.3' }],
  ['pkg:deb/debian/curl@7.50', null],
  ['pkg:npm/x', null],
  ['left-shelf@1', null],
])('%s is a package of OSV’s', (purl, named) => {
  expect(packageOf(purl)).toEqual(named)
})

test.each([
  ['npm', '1.10.0', '1.9.0', 1],
  ['npm', '1.0.0-rc.1', '1.0.0', -1],
  ['Go', 'v1.2', '1.2.0', 0],
  ['PyPI', '1.0rc1', '1.0', -1],
  ['Maven', '1.10', '1.9.3', 1],
  ['Maven', '1.0-SNAPSHOT', '1.0', null],
])('in %s, %s against %s', (ecosystem, a, b, order) => {
  const compared = compareVersions(ecosystem, 'ECOSYSTEM', a, b)
  expect(compared === null ? null : Math.sign(compared)).toBe(order)
})

const affected = (version: string, events: object[], versions?: string[], ecosystem = 'npm') =>
  isAffected(
    { ecosystem, name: 'x', version },
    { ranges: [{ type: ecosystem === 'npm' ? 'SEMVER' : 'ECOSYSTEM', events }], versions },
  )

test('events are taken in the order of versions, whatever order they stand in', () => {
  const events = [
    { fixed: '1.2.0' },
    { introduced: '2.0.0' },
    { introduced: '0' },
    { last_affected: '2.3.1' },
  ]
  const versions = ['0.1.0', '1.1.9', '1.2.0', '1.9.0', '2.0.0', '2.3.1', '2.3.2']
  expect(versions.filter((version) => affected(version, events))).toEqual([
    '0.1.0',
    '1.1.9',
    '2.0.0',
    '2.3.1',
  ])
})

test('what has no order is told apart from what is not affected', () => {
  const events = [{ introduced: '0' }, { fixed: '2.0-final' }]
  expect(affected('1.0-alpha', events, undefined, 'Maven')).toBe(null)
  expect(affected('1.0-alpha', events, ['1.0-beta'], 'Maven')).toBe(false)
  expect(affected('1.0-alpha', events, ['1.0-alpha'], 'Maven')).toBe(true)
})
