import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OutboundOptions, openOutbound } from './outbound.ts'

const server = createServer((_request, response) => void response.end('here'))
let port = 0

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

async function askFor(url: string, options: Partial<OutboundOptions> = {}): Promise<string> {
  const dispatcher = openOutbound({ allow: [], trusted: [], ...options })
  try {
    const { body } = await request(url, { dispatcher })
    return await body.text()
  } catch (error) {
    return String(error)
  } finally {
    await dispatcher.destroy()
  }
}

test.each(['127.0.0.1', 'localhost', '[::1]', '169.254.169.254', '[::ffff:127.0.0.1]'])(
  'no connection is made to %s, whose address is not public',
  async (host) => {
    expect(await askFor(`http://${host}:${port}/`)).toContain('is not a public address')
  },
)

test('a name is connected to where the operator allows the addresses that it has now', async () => {
  expect(await askFor(`http://localhost:${port}/`, { allow: ['127.0.0.0/8', '::1/128'] })).toBe('here')
  expect(await askFor(`http://127.0.0.1:${port}/`, { allow: ['127.0.0.0/8'] })).toBe('here')
})

test("the operator's own origin is connected to, another port of its host is not", async () => {
  const trusted = [`http://localhost:${port}`]
  expect(await askFor(`http://localhost:${port}/`, { trusted })).toBe('here')
  expect(await askFor(`http://127.0.0.1:${port}/`, { trusted })).toContain('is not a public address')
  expect(await askFor(`http://localhost:${port + 1}/`, { trusted })).toContain('is not a public address')
})

test('a name without an address says so', async () => {
  expect(await askFor('http://name.invalid/')).toMatch(/name\.invalid/)
})

test('where it has to be encrypted, no connection is made without to what the operator does not allow', async () => {
  expect(await askFor('http://8.8.8.8/', { encrypted: true })).toContain('by https only')
  const addressesOf = async () => ['8.8.8.8']
  expect(await askFor('http://name.example/', { encrypted: true, addressesOf })).toContain('by https only')
  const allow = ['127.0.0.0/8']
  expect(await askFor(`http://127.0.0.1:${port}/`, { encrypted: true, allow })).toBe('here')
})

test('addresses come from whom it is told to ask, and are held to the same rule', async () => {
  const inside = async () => ['127.0.0.1']
  const url = `http://name.example:${port}/`
  expect(await askFor(url, { addressesOf: inside })).toContain('is not a public address')
  expect(await askFor(url, { addressesOf: inside, allow: ['127.0.0.0/8'] })).toBe('here')
  expect(await askFor(url, { addressesOf: async () => [] })).toContain('has no address')
})
