import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { X509Certificate } from '@peculiar/x509'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { transportWeaknesses } from './transport.ts'

// x509 needs it to be there before.
await import('reflect-metadata')
const x509 = await import('@peculiar/x509')

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 24 * 60 * 60 * 1000

let authority: { keys: CryptoKeyPair; certificate: X509Certificate }
const servers: Server[] = []

const keyPair = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

beforeAll(async () => {
  const keys = await keyPair()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Authority of a test',
    notAfter: new Date(Date.now() + 365 * day),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  })
  authority = { keys, certificate }
})
afterAll(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
})

type Made = { host?: string; days?: number; isSelfSigned?: boolean; maxVersion?: 'TLSv1.1' }

/** An https server whose certificate is as told, and its URL. */
async function serve({
  host = '127.0.0.1',
  days = 90,
  isSelfSigned = false,
  maxVersion,
}: Made): Promise<string> {
  const keys = await keyPair()
  const name = { type: host === '127.0.0.1' ? ('ip' as const) : ('dns' as const), value: host }
  const common = {
    notBefore: new Date(Date.now() - 365 * day),
    notAfter: new Date(Date.now() + days * day),
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([name])],
  }
  const certificate = isSelfSigned
    ? await x509.X509CertificateGenerator.createSelfSigned({ ...common, name: `CN=${host}`, keys })
    : await x509.X509CertificateGenerator.create({
        ...common,
        subject: `CN=${host}`,
        issuer: authority.certificate.subject,
        publicKey: keys.publicKey,
        signingKey: authority.keys.privateKey,
      })
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  const server = createServer({
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    cert: certificate.toString('pem'),
    ...(maxVersion && { minVersion: 'TLSv1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' }),
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`
}

async function found(made: Made) {
  const endpoint = await serve(made)
  const options = { endpointAllow: ['127.0.0.0/8'], authorities: authority.certificate.toString('pem') }
  const { signal } = new AbortController()
  const weaknesses = await transportWeaknesses(endpoint, { ...options, timeoutMs: 3_000, signal })
  return weaknesses.map(({ rule, seen }) => `${rule}: ${seen}`)
}

test('a certificate that verifies and lasts is nothing to tell', async () => {
  expect(await found({})).toEqual([])
})

test.each<[string, Made, RegExp]>([
  ['is over', { days: -1 }, /^bad-certificate: CERT_HAS_EXPIRED/],
  ['nobody has signed but itself', { isSelfSigned: true }, /^bad-certificate: DEPTH_ZERO_SELF_SIGNED_CERT/],
  ['is another host’s', { host: 'other.example' }, /^bad-certificate: ERR_TLS_CERT_ALTNAME_INVALID/],
  ['is about to end', { days: 3 }, /^certificate-ends-soon: TLSv1\.3/],
  ['comes over TLS 1.1', { maxVersion: 'TLSv1.1' }, /^bad-certificate: no TLS 1\.2 or 1\.3/],
])('a certificate that %s is told', async (_, made, words) => {
  expect(await found(made)).toEqual([expect.stringMatching(words)])
})

test('plain http is for networks of the operator’s own', async () => {
  const { signal } = new AbortController()
  const options = { endpointAllow: ['127.0.0.0/8'], timeoutMs: 1_000, signal }
  const rulesOf = async (endpoint: string) =>
    (await transportWeaknesses(endpoint, options)).map(({ rule }) => rule)
  expect(await rulesOf('http://127.0.0.1:4000/a2a')).toEqual([])
  expect(await rulesOf('http://93.184.216.34/a2a')).toEqual(['plain-http'])
})
