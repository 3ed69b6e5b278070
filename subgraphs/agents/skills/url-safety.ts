import { domainToUnicode } from 'node:url'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { mixesScripts, skeleton } from './confusables.ts'
import { skill } from './skill.ts'

const localNames =
  /^(?:localhost|.+\.(?:localhost|local|internal|intranet|lan|home\.arpa|svc|cluster\.local)|metadata|kubernetes(?:\.default)?)$/
/** Public names that answer with whatever address is written in them. */
const addressNames = /(?:^|\.)(?:nip\.io|sslip\.io|xip\.io|localtest\.me|lvh\.me|vcap\.me|rbndr\.us)$/
const verdictSchema = z.enum(['ALLOW', 'DENY'])

/** Whether a URL may be fetched or followed: read as the WHATWG standard has it, against SSRF and open redirects. */
export const urlSafety = skill({
  name: 'url-safety',
  configuration: z.strictObject({
    schemes: z.array(z.enum(['https', 'http', 'wss', 'ws'])).min(1),
    /** Beside the default port of each scheme. */
    ports: z.array(z.int().min(1).max(65_535)).max(50),
    /** Whether a host may be an address at all, even a public one. */
    literalAddresses: z.boolean(),
    /** Only these hosts and names below them, if any are listed. */
    hosts: z.array(z.string().min(1).max(253)).max(100),
    /** same-origin: where it leads must have the origin of `base`. */
    target: z.enum(['anywhere', 'same-origin']),
  }),
  input: z.strictObject({
    url: z.string().min(1).max(4000).describe('As it was given, also relative'),
    base: z.url().max(2000).optional().describe('Where it was found; needed for relative ones'),
  }),
  output: z.strictObject({
    verdict: verdictSchema.describe('DENY on any finding'),
    url: z
      .string()
      .nullable()
      .describe('As a browser reads it, without credentials; null where it reads none'),
    address: z.string().nullable().describe('The host’s address, where it is one'),
    findings: z
      .array(
        z.strictObject({
          rule: z.string().describe('What it breaks'),
          detail: z.string().describe('In words'),
        }),
      )
      .describe('All of them'),
  }),
  run({ url: written, base }, configuration) {
    const findings: Finding[] = []
    const say: Say = (rule, detail) => findings.push({ rule, detail })
    const url = URL.parse(written, base)
    if (!url) say('not-a-url', base ? 'It can’t be read.' : 'It can’t be read without a base.')
    const address = url ? addressOf(url.hostname) : null
    spelled(written, url, say)
    if (url) {
      reached(url, configuration, say)
      if (address) located(address, configuration.literalAddresses, written, url.hostname, say)
      else if (url.hostname) named(url.hostname.replace(/\.$/, ''), configuration.hosts, say)
      if (configuration.target === 'same-origin' && url.origin !== (base ? new URL(base).origin : null))
        say('leaves-origin', `It leads to ${url.origin}.`)
    }
    const verdict: z.output<typeof verdictSchema> = findings.length === 0 ? 'ALLOW' : 'DENY'
    return {
      verdict,
      url: url ? shown(url) : null,
      address: address?.toString() ?? null,
      findings,
    }
  },
})

type Finding = { rule: string; detail: string }
type Say = (rule: string, detail: string) => void
type Address = ipaddr.IPv4 | ipaddr.IPv6

function shown(url: URL): string {
  const bare = new URL(url)
  if (bare.host) [bare.username, bare.password] = ['', '']
  return bare.href
}

/** What parsers disagree about is an attack or a mistake. */
function spelled(written: string, url: URL | null, say: Say) {
  if (/[\t\n\r\p{Cc}]/u.test(written)) say('control-characters', 'Browsers drop them, others may not.')
  if (/^[a-z]{2,10}:[\\/]*\\|^[\\/]{1,4}\\|^\\/i.test(written))
    say('backslash', 'Some read \\ as / and some don’t.')
  if (/^\s|\s$/.test(written)) say('outer-blanks', 'Some trim and some don’t.')
  if (url && (url.username || url.password)) say('credentials', 'It has a name or password before the @.')
}

function reached(url: URL, { schemes, ports }: { schemes: string[]; ports: number[] }, say: Say) {
  const scheme = url.protocol.slice(0, -1)
  if (!schemes.some((one) => one === scheme)) say('scheme', `${scheme} is none of ${schemes.join(', ')}.`)
  if (url.port && !ports.includes(Number(url.port))) say('port', `${url.port} is not allowed.`)
}

function addressOf(hostname: string): Address | null {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare) ? ipaddr.process(bare) : null
}

/** Tunnels and translations (6to4, NAT64, Teredo, mapped) lead into networks of version 4 and are no public addresses here. */
function located(address: Address, allowed: boolean, written: string, hostname: string, say: Say) {
  const range = address.range()
  if (range !== 'unicast') say('not-public', `${address.toString()} is ${range}.`)
  else if (!allowed) say('literal-address', 'The host is an address and not a name.')
  if (!written.toLowerCase().includes(hostname.replace(/^\[|\]$/g, '')))
    say('disguised-address', `The host is another way to write ${address.toString()}.`)
}

function named(host: string, hosts: readonly string[], say: Say) {
  if (localNames.test(host)) say('local-name', `${host} is a name of an inner network.`)
  else if (!host.includes('.')) say('local-name', `${host} has no domain.`)
  if (addressNames.test(host)) say('address-in-name', `${host} answers with any address.`)
  const within = (one: string) => host === one || host.endsWith(`.${one}`)
  if (hosts.length > 0 && !hosts.some(within)) say('host', `${host} is not listed.`)
  const read = domainToUnicode(host)
  if (read.split('.').some(mixesScripts)) say('mixed-scripts', `${read} mixes scripts.`)
  const look = skeleton(read)
  const imitated = hosts.find(
    (one) => !within(one) && (look === skeleton(one) || look.endsWith(`-${skeleton(one)}`)),
  )
  if (imitated) say('look-alike', `A reader can’t tell it from ${imitated}.`)
}
