import { expect, test, vi } from 'vitest'
import { freePort } from './ports.ts'

const drawn = vi.hoisted(() => ({ ports: [] as number[] }))
vi.mock('node:crypto', () => ({ randomInt: () => drawn.ports.shift() }))

test('no port is given twice, though nobody listens on it yet', async () => {
  drawn.ports = [20_101, 20_101, 20_102]
  expect([await freePort(), await freePort()]).toEqual([20_101, 20_102])
})
