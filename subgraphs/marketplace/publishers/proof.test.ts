import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loopback } from '../../../test/outbound.ts'
import { openOutbound } from '../../kit/outbound.ts'
import { challengeOf, openProofs, type Prove } from './proof.ts'
import { serveDns, serveFiles, type Zone } from './testing.ts'

const stack = new AsyncDisposableStack()
const zone: Zone = new Map()
const files = new Map<string, (response: ServerResponse) => void>()
const asked: string[] = []
let prove: Prove
let guarded: Prove

beforeAll(async () => {
  const dns = stack.use(await serveDns(zone))
  const web = stack.use(
    await serveFiles(({ url = '', headers }, response) => {
      asked.push(url)
      expect(headers.authorization).toBeUndefined()
      files.get(url)?.(response)
    }),
  )
  const outside = openOutbound({ allow: [], trusted: [] })
  stack.defer(() => outside.destroy())
  const options = { dnsServers: [dns.address], originOf: web.originOf, withinMs: 400 }
  prove = openProofs({ ...options, outbound: loopback })
  guarded = openProofs({ ...options, outbound: outside })
})
afterAll(() => stack.disposeAsync())

const token = 'a-token'
const inDns = (domain: string) => prove({ domain, method: 'DNS', token })
const inFile = (domain: string, by = prove) => by({ domain, method: 'WELL_KNOWN', token })

const serve = (domain: string, answer: (response: ServerResponse) => void) =>
  files.set(`/${domain}/.well-known/ossa-publisher.json`, answer)

test('a TXT record with the token proves a domain, among others and in pieces', async () => {
  const { place, value } = challengeOf({ domain: 'good.com', method: 'DNS', token })
  expect([place, value]).toEqual(['_ossa-challenge.good.com', 'ossa-publisher=a-token'])
  zone.set(place, ['v=spf1 -all', 'ossa-publisher=of-another', value])
  expect(await inDns('good.com')).toBeNull()
})

test('no record, other records, a server that fails and one that is silent are told apart', async () => {
  zone.set('_ossa-challenge.other.com', ['ossa-publisher=of-another', 'a-token'])
  zone.set('_ossa-challenge.empty.com', [])
  zone.set('_ossa-challenge.broken.com', 'broken')
  zone.set('_ossa-challenge.silent.com', 'silent')
  expect(await inDns('other.com')).toBe(
    "none of the 2 TXT records of _ossa-challenge.other.com is the challenge's",
  )
  expect(await inDns('none.com')).toBe('there is no TXT record _ossa-challenge.none.com')
  expect(await inDns('empty.com')).toBe('there is no TXT record _ossa-challenge.empty.com')
  expect(await inDns('broken.com')).toMatch(/^name servers did not tell of .* \(ESERVFAIL\)$/)
  expect(await inDns('silent.com')).toMatch(/^name servers did not tell of .* \((ETIMEOUT|ECANCELLED)\)$/)
})

test('a name server that is no address is told of before anything is looked up', () => {
  expect(() => openProofs({ outbound: loopback, dnsServers: ['ns.example'] })).toThrow('ns.example')
})

test('a file that lists the token proves a domain', async () => {
  const { place, value } = challengeOf({ domain: 'good.com', method: 'WELL_KNOWN', token })
  expect(place).toBe('https://good.com/.well-known/ossa-publisher.json')
  serve('good.com', (response) => response.end(value))
  serve('shared.com', (response) => response.end(JSON.stringify({ tokens: ['of-another', token] })))
  expect(await inFile('good.com')).toBeNull()
  expect(await inFile('shared.com')).toBeNull()
})

test('a redirect is not followed, also to where the token is', async () => {
  serve('moved.com', (response) =>
    response.writeHead(302, { location: '/good.com/.well-known/ossa-publisher.json' }).end(),
  )
  asked.length = 0
  expect(await inFile('moved.com')).toMatch(/answers 302$/)
  expect(asked).toEqual(['/moved.com/.well-known/ossa-publisher.json'])
})

test('a host that is huge, slow, silent, broken or says something else proves nothing', async () => {
  const pour = (response: ServerResponse) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(64 * 1024)));
    }
    response.on('drain', more)
    more()
  }
  serve('huge.com', (response) => {
    response.write(`{"tokens":["${token}"],"more":"`)
    pour(response)
  })
  serve('slow.com', (response) => {
    response.write('{')
    const dripping = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(dripping))
  })
  serve('silent.com', () => undefined)
  serve('cut.com', (response) => {
    response.writeHead(200, { 'content-length': 1_000 }).write('{')
    setImmediate(() => response.destroy())
  })
  serve('html.com', (response) => response.end(`<html>${token}</html>`))
  serve('listed.com', (response) => response.end(JSON.stringify([token])))
  serve('many.com', (response) =>
    response.end(JSON.stringify({ tokens: [...Array.from({ length: 100 }, () => 'x'), token] })),
  )
  serve('error.com', (response) => {
    response.writeHead(500)
    pour(response)
  })
  serve('absent.com', (response) => response.writeHead(404).end(JSON.stringify({ tokens: [token] })))
  serve('other.com', (response) => response.end(JSON.stringify({ tokens: ['of-another'] })))
  expect(await inFile('huge.com')).toMatch(/has more than 65536 bytes$/)
  expect(await inFile('slow.com')).toMatch(/has not answered within 0.4 s$/)
  expect(await inFile('silent.com')).toMatch(/has not answered within 0.4 s$/)
  expect(await inFile('cut.com')).toMatch(/can not be fetched/)
  for (const domain of ['html.com', 'listed.com', 'many.com'])
    expect(await inFile(domain)).toMatch(/is not \{ "tokens"/)
  expect(await inFile('error.com')).toMatch(/answers 500$/)
  expect(await inFile('absent.com')).toMatch(/answers 404$/)
  expect(await inFile('other.com')).toMatch(/the token is not among those/)
})

test('an address inside is not connected to', async () => {
  asked.length = 0
  expect(await inFile('good.com', guarded)).toMatch(/127\.0\.0\.1 is not a public address/)
  expect(asked).toEqual([])
})
