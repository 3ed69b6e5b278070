import { expect, test } from 'vitest'
import { checkEndpoint } from './endpoint.ts'

const refused: Record<string, string> = {
  'agents.example.com': 'is not a URL',
  'ftp://8.8.8.8/': 'neither http nor https',
  'file:///etc/passwd': 'neither http nor https',
  'http://user:secret@8.8.8.8/': 'credentials',
  'http://user@8.8.8.8/': 'credentials',
  'http://127.0.0.1:4000/': 'loopback',
  'http://localhost/': 'loopback',
  'http://2130706433/': 'loopback',
  'http://0177.0.0.1/': 'loopback',
  'http://0x7f.1/': 'loopback',
  'http://127.1/': 'loopback',
  'http://[::1]/': 'loopback',
  'http://[::ffff:127.0.0.1]/': 'loopback',
  'http://[::ffff:7f00:1]/': 'loopback',
  'http://[::127.0.0.1]/': 'unicast',
  'http://[64:ff9b::7f00:1]/': 'rfc6052',
  'http://[2002:7f00:1::]/': '6to4',
  'http://0.0.0.0/': 'unspecified',
  'http://[::]/': 'unspecified',
  'http://10.1.2.3/': 'private',
  'http://172.16.0.1/': 'private',
  'http://192.168.1.1/': 'private',
  'http://100.64.0.1/': 'carrierGradeNat',
  'http://169.254.169.254/latest/meta-data/': 'linkLocal',
  'http://168.63.129.16/metadata': 'not a public address',
  'http://[fe80::1]/': 'linkLocal',
  'http://[fd00:ec2::254]/': 'uniqueLocal',
  'http://224.0.0.1/': 'multicast',
  'http://192.0.2.1/': 'reserved',
  'http://name.invalid/': 'has no address',
}

test.each(Object.entries(refused))('%s is refused: %s', async (endpoint, reason) => {
  expect(await checkEndpoint(endpoint, [])).toContain(reason)
})

test.each(['https://8.8.8.8/a2a/x', 'http://[2606:4700:4700::1111]:8080/'])(
  '%s is fine',
  async (endpoint) => {
    expect(await checkEndpoint(endpoint, [])).toBeNull()
  },
)

test('the operator may allow ranges, and what is outside them stays refused', async () => {
  const allow = ['127.0.0.0/8', 'fd00:1::/32']
  expect(await checkEndpoint('http://127.0.0.1:4000/', allow)).toBeNull()
  expect(await checkEndpoint('http://[::ffff:127.0.0.1]/', allow)).toBeNull()
  expect(await checkEndpoint('http://[fd00:1::7]/', allow)).toBeNull()
  expect(await checkEndpoint('http://[fd00:2::7]/', allow)).toContain('uniqueLocal')
  expect(await checkEndpoint('http://10.0.0.1/', allow)).toContain('private')
})

test('where it has to be encrypted, only what the operator allows is called without', async () => {
  const check = (url: string, allow: string[] = []) => checkEndpoint(url, allow, { encrypted: true })
  expect(await check('https://8.8.8.8/')).toBeNull()
  expect(await check('http://8.8.8.8/')).toContain('https only')
  expect(await check('http://8.8.8.8/', ['127.0.0.0/8'])).toContain('https only')
  expect(await check('http://127.0.0.1/', ['127.0.0.0/8'])).toBeNull()
  expect(await check('https://127.0.0.1/')).toContain('loopback')
})
