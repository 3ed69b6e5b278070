import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGraph, type TestGraph } from '../testing/graph.ts'
import { createVerifier } from './verify.ts'

const issuer = 'https://issuer.example'
const pair = await generateKeyPair('RS256', { extractable: true })
const stranger = await generateKeyPair('RS256')
const publicPem = await exportSPKI(pair.publicKey)

let graph: TestGraph
let jwks: Server
beforeAll(async () => {
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }
  jwks = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })))
  await new Promise<void>((listening) => jwks.listen(0, '127.0.0.1', listening))
  const env = {
    JWKS_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/`,
    JWT_ISSUER: issuer,
    JWT_AUDIENCE: 'graph',
  }
  graph = await startGraph(
    { one: { typeDefs: 'type Query { me: String }', resolvers: { Query: { me: () => 'me' } } } },
    { env },
  )
})
afterAll(async () => {
  await graph[Symbol.asyncDispose]()
  jwks.close()
})

const now = () => Math.floor(Date.now() / 1000)
const good = () => ({ iss: issuer, aud: 'graph', sub: 'ann', exp: now() + 60 })
const sign = (claims: object, header: object = {}, key: Parameters<SignJWT['sign']>[0] = pair.privateKey) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header }).sign(key)
const without = (claim: string) =>
  Object.fromEntries(Object.entries(good()).filter(([name]) => name !== claim))
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

async function altered(): Promise<string> {
  const [header, , signature] = (await sign(good())).split('.')
  return `${header}.${part({ ...good(), sub: 'admin' })}.${signature}`
}

const post = async (authorization: string) => {
  const response = await fetch(graph.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: '{"query":"{ me }"}',
  })
  return { status: response.status, body: (await response.json()) as { errors?: { message: string }[] } }
}

test('the good one', async () => {
  expect(await post(`Bearer ${await sign(good())}`)).toEqual({ status: 200, body: { data: { me: 'me' } } })
})

test.each<[string, () => Promise<string> | string, RegExp]>([
  ['no signature', () => new UnsecuredJWT(good()).encode(), /algorithm is not allowed|not a valid JWT/],
  [
    'alg none in capitals',
    () => `${part({ alg: 'NONE', kid: 'k1' })}.${part(good())}.`,
    /not allowed|not a valid/,
  ],
  ['an empty signature', async () => (await sign(good())).replace(/[^.]*$/, ''), /does not verify/],
  [
    'HS256 with the public key as its secret',
    () => sign(good(), { alg: 'HS256' }, Buffer.from(publicPem)),
    /algorithm is not allowed/,
  ],
  ["another's signature", () => sign(good(), {}, stranger.privateKey), /does not verify/],
  ['an altered claim', altered, /does not verify/],
  ['a kid that is a path', () => sign(good(), { kid: '../../../../dev/null' }), /does not have/],
  ['a kid that is SQL', () => sign(good(), { kid: "' or 1=1 --" }), /does not have/],
  [
    'a key of its own',
    async () => sign(good(), { kid: 'k2', jwk: await exportJWK(stranger.publicKey) }, stranger.privateKey),
    /does not have/,
  ],
  [
    'a jku of its own',
    () => sign(good(), { kid: 'k2', jku: 'http://127.0.0.1:1/' }, stranger.privateKey),
    /does not have/,
  ],
  [
    'an unknown critical header',
    () => {
      return `${part({ alg: 'RS256', kid: 'k1', crit: ['x'], x: 1 })}.${part(good())}.${'A'.repeat(342)}`
    },
    /not a valid JWT/,
  ],
  ['another audience', () => sign({ ...good(), aud: 'other' }), /claim aud/],
  ['no audience', () => sign(without('aud')), /claim aud/],
  ['another issuer', () => sign({ ...good(), iss: 'https://evil.example' }), /claim iss/],
  ['no issuer', () => sign(without('iss')), /claim iss/],
  ['expired', () => sign({ ...good(), exp: now() - 1 }), /has expired/],
  ['no exp', () => sign(without('exp')), /claim exp/],
  ['an exp that is text', () => sign({ ...good(), exp: '9999999999' }), /claim exp|not a valid JWT/],
  ['not yet valid', () => sign({ ...good(), nbf: now() + 600 }), /claim nbf/],
  ['no subject', () => sign(without('sub')), /claim sub/],
  ['an empty subject', () => sign({ ...good(), sub: '' }), /claim sub/],
  ['a scope that is a list', () => sign({ ...good(), scope: ['admin'] }), /claim scope/],
  ['an encrypted token', () => `${part({ alg: 'dir', enc: 'A128GCM' })}..a.b.c`, /not a valid JWT/],
  [
    'two tokens in one',
    async () => `${await sign(good())},${await sign(good())}`,
    /not a valid JWT|does not verify/,
  ],
  ['a long one', () => 'x'.repeat(9_000), /longer than 8192/],
  ['nothing', () => '', /expected `Authorization: Bearer/],
])('%s: 401, and why', async (_what, token, why) => {
  const { status, body } = await post(`Bearer ${await token()}`)
  expect([status, body]).toMatchObject([
    401,
    { errors: [{ message: expect.stringMatching(why), extensions: { code: 'UNAUTHENTICATED' } }] },
  ])
})

async function raw(head: string): Promise<string> {
  const { hostname, port } = new URL(graph.url)
  const socket = connect(Number(port), hostname)
  const body = '{"query":"{ me }"}'
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${head}\r\n${body}`,
  )
  const answer = await new Promise<string>((done) => socket.once('data', (data) => done(data.toString())))
  socket.destroy()
  return answer
}

test('several Authorization headers are refused, whatever is in them', async () => {
  const token = await sign(good())
  const answer = await raw(`Authorization: Bearer ${token}\r\nauthorization: Bearer ${token}\r\n`)
  expect(answer).toMatch(/^HTTP\/1.1 400/)
  expect(answer).toContain('several Authorization headers')
  expect(await raw(`AUTHORIZATION: Bearer ${token}\r\n`)).toMatch(/^HTTP\/1.1 200/)
})

test('headers beyond what Node takes are refused before they are read', async () => {
  expect(await raw(`authorization: Bearer ${'x'.repeat(20_000)}\r\n`)).toMatch(/^HTTP\/1.1 431/)
})

test('operations that come together with one token go on in their order, and it is verified once', async () => {
  const keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
  const keys = await openKeys(keysDir, 'issuer')
  const expected = { issuer: 'community', audience: 'community' }
  const verifications: PromiseWithResolvers<void>[] = []
  const identify = createVerifier({
    ...expected,
    keys: {
      ...keys,
      async verify(...asked) {
        const held = Promise.withResolvers<void>()
        verifications.push(held)
        await held.promise
        return await keys.verify(...asked)
      },
    },
  })
  const token = `Bearer ${await keys.sign({}, { ...expected, subject: 'ann', ttlSeconds: 60 })}`
  const order: number[] = []
  const asked = [0, 1, 2].map((n) => identify(token).then(() => order.push(n)))
  // The last to begin is the first to end.
  for (const { resolve } of verifications.toReversed()) resolve()
  await Promise.all(asked)
  expect(order).toEqual([0, 1, 2])
  expect(verifications.length).toBe(1)
  await rm(keysDir, { recursive: true })
})
