import { expect, test } from 'vitest'
import { bytesOf } from './quantity.ts'

test.each<[string | number, number]>([
  ['512Mi', 512 * 1024 ** 2],
  ['1Gi', 1024 ** 3],
  ['0.5Gi', 512 * 1024 ** 2],
  ['64Ki', 65_536],
  ['500M', 500_000_000],
  ['1.1M', 1_100_000],
  ['128k', 128_000],
  ['129e6', 129_000_000],
  ['129E6', 129_000_000],
  ['2E', 2e18],
  ['134217728', 134_217_728],
  [134_217_728, 134_217_728],
  ['128974848000m', 128_974_848],
  ['1500m', 2],
  ['.5k', 500],
  ['+1.', 1],
])('%s is %d bytes', (text, bytes) => {
  expect(bytesOf(text)).toBe(bytes)
})

// Kubernetes has no kilobyte with a capital K, and no unit in lower case but n, u, m and k.
test.each([
  '',
  '0',
  '-1Mi',
  '512MB',
  '512mi',
  '512 Mi',
  '1K',
  '1ki',
  'Mi',
  '1e',
  '1.2.3',
  '$MEMORY',
  NaN,
  1e300,
])('%s is no quantity', (text) => {
  expect(bytesOf(text)).toBe(null)
})
