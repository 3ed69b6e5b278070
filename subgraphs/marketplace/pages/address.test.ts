import { expect, test } from 'vitest'
import { webAddress } from './address.ts'

test.each([
  ['https://example.org/a b?c=ü', 'https://example.org/a%20b?c=%C3%BC'],
  ['HTTPS://Example.org', 'https://example.org/'],
  ['https://example.org:8443/#x', 'https://example.org:8443/#x'],
  ['https://[2606:4700::1111]/', 'https://[2606:4700::1111]/'],
])('%s is an address', (given, written) => {
  expect(webAddress(given, 'input.homepage')).toBe(written)
})

test.each([
  'http://example.org',
  'javascript:alert(1)',
  'data:image/png;base64,AAAA',
  '//example.org',
  'example.org',
  '',
  'https://user@example.org',
  'https://user:secret@example.org',
  'https://localhost/x',
  'https://printer/x',
  'https://nas.local',
  'https://vault.internal.',
  'https://router.home.arpa',
  'https://127.0.0.1',
  'https://2130706433/',
  'https://0x7f.1/',
  'https://10.1.2.3',
  'https://169.254.169.254/latest/meta-data',
  'https://[::1]/',
  'https://[::ffff:10.0.0.1]/',
  `https://example.org/${'a'.repeat(2_000)}`,
  `https://example.org/${'ü'.repeat(400)}`,
])('%s is none', (given) => {
  expect(() => webAddress(given, 'input.homepage')).toThrow(/^input\.homepage /)
})
