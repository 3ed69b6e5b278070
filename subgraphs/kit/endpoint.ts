import { lookup } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

const lookupTimeoutMs = 5_000

/**
 * Why an agent's endpoint is refused, or null. Addresses that are not public (loopback, private, link-local with the
 * clouds' metadata services, unique local, …) need a range of `allow`, the operator's list in CIDR notation.
 * `encrypted`: what is not https needs one too.
 */
export async function checkEndpoint(
  endpoint: string,
  allow: readonly string[],
  { encrypted = false } = {},
): Promise<string | null> {
  if (!URL.canParse(endpoint)) return `${endpoint} is not a URL`
  // The parser turns decimal, octal, hexadecimal and shortened IPv4 hosts into dotted ones.
  const url = new URL(endpoint)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `${url.protocol}// is neither http nor https`
  if (url.username !== '' || url.password !== '') return 'credentials do not belong in an endpoint'
  const addresses = await addressesOf(url.hostname)
  if (addresses.length === 0) return `${url.hostname} has no address`
  const refusal = addressRefusal(addresses, hostOf(url.hostname), allow)
  if (refusal !== null || !encrypted || url.protocol === 'https:') return refusal
  const allowed = addresses.every((address) => isAllowed(address, allow))
  return allowed ? null : 'http:// is for addresses in a range that the operator allows'
}

/** Why one of the addresses of a host may not be connected to, or null. */
export function addressRefusal(
  addresses: readonly string[],
  host: string,
  allow: readonly string[],
): string | null {
  const found = addresses.find((each) => !isPublic(ipaddr.process(each)) && !isAllowed(each, allow))
  if (found === undefined) return null
  const refused = ipaddr.process(found)
  const where = refused.toString() === host ? '' : ` of ${host}`
  return `${refused.toString()}${where} is not a public address (${refused.range()}) and in no range that the operator allows`
}

/** Whether its host is an address, or a name that has one. */
export const hasAddress = async (endpoint: string): Promise<boolean> =>
  URL.canParse(endpoint) && (await addressesOf(new URL(endpoint).hostname)).length > 0

async function addressesOf(hostname: string): Promise<string[]> {
  const host = hostOf(hostname)
  if (ipaddr.isValid(host)) return [host]
  const found = await Promise.race([
    lookup(host, { all: true }).catch(() => []),
    new Promise<[]>((resolve) => setTimeout(resolve, lookupTimeoutMs, []).unref()),
  ])
  return found.map(({ address }) => address)
}

/** Of an IPv6 address without its brackets. */
export const hostOf = (hostname: string) => hostname.replace(/^\[|\]$/g, '')

// Azure's platform address looks public and is not. IPv6 has given out 2000::/3 only; what carries an IPv4 address
// within it (6to4, Teredo) has a range of its own.
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false
  if (address instanceof ipaddr.IPv4) return address.toString() !== '168.63.129.16'
  return address.match(ipaddr.IPv6.parse('2000::'), 3)
}

function isAllowed(text: string, allow: readonly string[]): boolean {
  const address = ipaddr.process(text)
  return allow.some((range) => isWithin(address, ipaddr.parseCIDR(range)))
}

function isWithin(address: Address, [range, bits]: [Address, number]): boolean {
  if (address instanceof ipaddr.IPv4) return range instanceof ipaddr.IPv4 && address.match(range, bits)
  return range instanceof ipaddr.IPv6 && address.match(range, bits)
}
