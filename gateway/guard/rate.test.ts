import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { startGraph } from '../testing/graph.ts'
import { clientAddress, createCharge } from './rate.ts'
import { anonymous, type Identity } from './verify.ts'

const as = (subject: string): Identity => ({
  principal: { ...anonymous.principal, subject, verified: true },
  expiresAt: null,
})

test('a bucket for each subject and for each address of the anonymous, filled as time goes by', () => {
  let now = 0
  const charge = createCharge({ perSecond: 2, burst: 3 }, () => now)
  const may = (identity: Identity, address = 'a') => {
    try {
      charge(identity, address)
      return true
    } catch {
      return false
    }
  }
  expect([1, 2, 3, 4].map(() => may(anonymous))).toEqual([true, true, true, false])
  expect([may(anonymous, 'b'), may(as('ann')), may(as('bob'))]).toEqual([true, true, true])
  now += 500
  expect([may(anonymous), may(anonymous)]).toEqual([true, false])
  now += 3_600_000
  expect([1, 2, 3, 4].map(() => may(anonymous))).toEqual([true, true, true, false])
})

test.each<[string, string, string | undefined, number, string]>([
  ['the peer', '10.0.0.1', '1.1.1.1', 0, '10.0.0.1'],
  ['as one proxy saw it', '10.0.0.1', '6.6.6.6, 1.1.1.1', 1, '1.1.1.1'],
  ['as the outer of two saw it', '10.0.0.1', '6.6.6.6, 1.1.1.1, 10.0.0.2', 2, '1.1.1.1'],
  ['the peer, where no proxy says', '10.0.0.1', undefined, 1, '10.0.0.1'],
  ['IPv4 in IPv6', '::ffff:10.0.0.1', undefined, 0, '10.0.0.1'],
  ['the network of an IPv6 address', '2001:db8:1:2:3:4:5:6', undefined, 0, '2001:db8:1:2'],
  ['and of a short one', '2001:db8::6', undefined, 0, '2001:db8:0:0'],
])('the address of a client: %s', (_what, remoteAddress, forwarded, hops, address) => {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  expect(clientAddress({ headers, socket: { remoteAddress } } as never, hops)).toBe(address)
})

test('too many requests are answered 429 with retry-after, over HTTP, in a batch and over a socket', async () => {
  const keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
  const env = { KEYS_DIR: keysDir, RATE_LIMIT_PER_SECOND: '0.01', RATE_LIMIT_BURST: '3', LIMIT_BATCH: '9' }
  await using graph = await startGraph(
    { one: { typeDefs: 'type Query { me: String }', resolvers: { Query: { me: () => 'me' } } } },
    { env },
  )
  const issuer = await openKeys(keysDir, 'issuer')
  const tokenOf = async (subject: string) =>
    `Bearer ${await issuer.sign({}, { audience: 'community', issuer: 'community', subject, ttlSeconds: 60 })}`
  const post = async (body: string, headers: Record<string, string> = {}) => {
    const response = await fetch(graph.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
    return {
      status: response.status,
      wait: Number(response.headers.get('retry-after')),
      body: await response.json(),
    }
  }
  const me = '{"query":"{ me }"}'
  // A bad token is charged to the address.
  expect((await post(me, { authorization: 'Bearer bad' })).status).toBe(401)
  expect([(await post(me)).status, (await post(me)).status]).toEqual([200, 200])
  const refused = await post(me)
  expect(refused).toMatchObject({ status: 429, body: { errors: [{ extensions: { code: 'RATE_LIMITED' } }] } })
  expect(refused.wait).toBeGreaterThan(90)
  expect(refused.wait).toBeLessThanOrEqual(100)
  expect((await post(me, { authorization: 'Bearer bad' })).status).toBe(429)

  const ann = await tokenOf('ann')
  const batch = await post(`[${Array.from({ length: 5 }, () => me).join()}]`, { authorization: ann })
  expect(batch).toMatchObject({
    status: 200,
    body: [{ data: {} }, { data: {} }, { data: {} }, { errors: [{}] }, {}],
  })
  expect((await post(`[${me}]`, { authorization: ann })).status).toBe(429)

  const socket = new WebSocket(graph.wsUrl, 'graphql-transport-ws')
  const received: { type: string; id?: string; payload?: unknown }[] = []
  socket.on('message', (data: Buffer) => void received.push(JSON.parse(data.toString()) as never))
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: await tokenOf('bob') } }))
  await vi.waitFor(() => expect(received).toHaveLength(1))
  for (const id of ['1', '2', '3'])
    socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query: '{ me }' } }))
  await vi.waitFor(() => expect(received.filter(({ type }) => type !== 'next')).toHaveLength(4))
  expect(received.find(({ id, type }) => id === '3' && type === 'error')).toMatchObject({
    payload: [{ extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) } }],
  })
  socket.terminate()
  const late = new WebSocket(graph.wsUrl, 'graphql-transport-ws')
  await once(late, 'open')
  late.send(JSON.stringify({ type: 'connection_init' }))
  expect((await once(late, 'close'))[0]).toBe(4429)
  await rm(keysDir, { recursive: true })
})
