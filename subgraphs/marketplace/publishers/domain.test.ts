import { expect, test } from 'vitest'
import { readDomain, speaksFor } from './domain.ts'

const read = (value: string) => {
  try {
    return readDomain(value, 'input.domain')
  } catch (error) {
    return error instanceof Error ? { refused: error.message } : error
  }
}

test('a domain is read as ASCII in small letters', () => {
  expect(read('Example.COM')).toBe('example.com')
  expect(read(' agents.example.co.uk. ')).toBe('agents.example.co.uk')
  expect(read('bücher.example.de')).toBe('xn--bcher-kva.example.de')
  expect(read('shop.github.io')).toBe('shop.github.io')
  expect(read('пример.рф')).toBe('xn--e1afmkfd.xn--p1ai')
})

test('what is no domain that somebody registered is refused', () => {
  for (const value of [
    '',
    'localhost',
    'com',
    'co.uk',
    'github.io',
    'printer.local',
    'acme.internal',
    '127.0.0.1',
    '0x7f.1',
    '2130706433',
    '[::1]',
    'example.com:8080',
    'https://example.com',
    'example.com/path',
    'user@example.com',
    '*.example.com',
    '_dmarc.example.com',
    '-a.example.com',
    'a..example.com',
    'exa mple.com',
    'example.com\0',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(150)}example.com`,
  ])
    expect(read(value), value).toEqual({ refused: expect.any(String) })
})

test('a domain in letters that only look like Latin ones is refused, in both spellings', () => {
  expect(read('аррӏе.com')).toEqual({ refused: expect.stringContaining('look like others') })
  expect(read('gооgle.com')).toEqual({ refused: expect.stringContaining('look like others') })
  expect(read('xn--80ak6aa92e.com')).toEqual({ refused: expect.stringContaining('look like others') })
})

test('DNS speaks for what is below a domain, a file for its host alone, neither for what others register', () => {
  const dns = { domain: 'example.com', method: 'DNS' } as const
  const file = { domain: 'example.com', method: 'WELL_KNOWN' } as const
  expect(speaksFor(dns, 'example.com')).toBe(true)
  expect(speaksFor(dns, 'mcp.example.com')).toBe(true)
  expect(speaksFor(dns, 'notexample.com')).toBe(false)
  expect(speaksFor({ domain: 'mcp.example.com', method: 'DNS' }, 'example.com')).toBe(false)
  expect(speaksFor(file, 'example.com')).toBe(true)
  expect(speaksFor(file, 'mcp.example.com')).toBe(false)
  expect(speaksFor({ domain: 'amazonaws.com', method: 'DNS' }, 'bucket.s3.amazonaws.com')).toBe(false)
})
