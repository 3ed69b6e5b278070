import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { addressesByDns, addressesBySystem } from './addresses.ts'

/** A name server that hears and does not answer. */
async function silentServer(): Promise<string> {
  const server = createSocket('udp4')
  onTestFinished(async () => {
    server.close()
    await once(server, 'close')
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${server.address().port}`
}

test('a name server that does not answer holds nothing that others wait for', async () => {
  const addressesOf = addressesByDns({ servers: [await silentServer()], timeoutMs: 100 })
  let over = 0
  const found = Array.from({ length: 16 }, async (_, n) => {
    const addresses = await addressesOf(`name${n}.example`)
    over++
    return addresses
  })
  // As signatures and files, it takes one of the threads that names are looked up in elsewhere.
  await stat(import.meta.filename)
  expect(over).toBe(0)
  expect((await Promise.all(found)).flat()).toEqual([])
})

test.each([
  ['127.0.0.1', ['127.0.0.1']],
  ['[2606:4700:4700::1111]', ['2606:4700:4700::1111']],
  ['localhost', ['127.0.0.1']],
  ['app.localhost', ['127.0.0.1']],
])('nobody is asked for %s', async (host, addresses) => {
  expect(await addressesByDns({ servers: [await silentServer()], timeoutMs: 100 })(host)).toEqual(addresses)
})

test('a name that is not there has no address', async () => {
  expect(await addressesBySystem('name.invalid')).toEqual([])
  expect(await addressesByDns()('name.invalid')).toEqual([])
})
