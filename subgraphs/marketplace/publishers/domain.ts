import { domainToASCII, domainToUnicode } from 'node:url'
import { getDomain, parse } from 'tldts'
import { badInput } from '../../kit/errors.ts'
import { lookAlikes } from '../../kit/look-alikes.ts'

// With `_ossa-challenge.` before it, what DNS takes.
const longest = 237
const expected =
  'a domain that somebody registered, or a name within it, as example.com: no scheme, port or path'

/**
 * A domain as ASCII, in small letters. Refused are addresses, names that nobody registers, as `com` and `github.io`, and
 * those written in letters that only look like Latin ones.
 */
export function readDomain(value: string, argument: string): string {
  const refuse = (why: string) => badInput(`${value.slice(0, 100)} ${why}`, argument, expected)
  const given = value.trim().replace(/\.$/, '')
  if (given.length > longest || /[\s/:@?#\\%[\]\0]/.test(given)) throw refuse('is no domain')
  const domain = domainToASCII(given)
  if (domain.length > longest || !domain.split('.').every((label) => hostLabel.test(label)))
    throw refuse('is no domain')
  const read = parse(domain, rules)
  if (read.isIp) throw refuse('is an address')
  if (read.domain === null) throw refuse('is nobody’s to register')
  if (!read.isIcann && !read.isPrivate) throw refuse('ends in no public suffix')
  if (domainToUnicode(domain).split('.').some(isDisguised))
    throw refuse('is written in letters that look like others')
  return domain
}

const hostLabel = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/
const rules = { allowPrivateDomains: true, validateHostname: true } as const

/** Whether all its letters are Latin, or look so, and some only look so. */
function isDisguised(label: string): boolean {
  const seen = Array.from(label, (letter) => lookAlikes.get(letter) ?? letter).join('')
  return seen !== label && /^[a-z0-9-]+$/.test(seen)
}

type Proven = { domain: string; method: 'DNS' | 'WELL_KNOWN' }

/**
 * Whether who has proven a domain speaks for a host: by a file for that host alone, by DNS for all below it that nobody
 * else registers (`shop.github.io` is not GitHub's).
 */
export function speaksFor({ domain, method }: Proven, host: string): boolean {
  if (host === domain) return true
  if (method !== 'DNS' || !host.endsWith(`.${domain}`)) return false
  return getDomain(host, rules) === getDomain(domain, rules)
}
