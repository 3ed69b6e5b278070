import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { openExchange } from './fetch.ts'

test('a fetch that is given up while it waits for a connection does not take one', async () => {
  const server = createServer((request, response) => {
    request.resume()
    if (request.headers.slow === undefined) response.end('{"data":{"a":1}}')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const { exchange, close } = openExchange('one', url, {
    connectMs: 5_000,
    maxAnswerBytes: 1_000,
    connections: 1,
  })
  const ask = (headers: Record<string, string>, signal?: AbortSignal) =>
    exchange({
      body: '{}',
      headers,
      signal,
      isRead: true,
      trace: null,
      until: performance.now() + 20_000,
      deadlineMs: 20_000,
      attempts: 0,
    })
  const first = new AbortController()
  const second = new AbortController()
  const slow = [first, second].map(({ signal }) => ask({ slow: 'yes' }, signal))
  const given = Promise.allSettled(slow)
  second.abort(new Error('gone'))
  first.abort(new Error('gone'))
  expect((await given).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await ask({})).toMatchObject({ data: { a: 1 }, errors: [], status: 200 })
  await close()
  server.close()
  server.closeAllConnections()
})
