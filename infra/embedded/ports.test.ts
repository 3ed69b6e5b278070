import { expect, test, vi } from 'vitest'
import { freePort, reachableHost } from './ports.ts'

const drawn = vi.hoisted(() => ({ ports: [] as number[] }))
vi.mock('node:crypto', () => ({ randomInt: () => drawn.ports.shift() }))

test('no port is given twice, though nobody listens on it yet', async () => {
  drawn.ports = [20_101, 20_101, 20_102]
  expect([await freePort(), await freePort()]).toEqual([20_101, 20_102])
})

test('a server on all addresses is asked at the loopback', () => {
  const hosts = ['127.0.0.1', '0.0.0.0', '::', '::1', 'localhost']
  expect(hosts.map(reachableHost)).toEqual(['127.0.0.1', '127.0.0.1', '[::1]', '[::1]', 'localhost'])
})
