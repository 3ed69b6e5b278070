import ipaddr from 'ipaddr.js'
import { type AddressesOf, addressesBySystem, hostOf } from './addresses.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6

type Demands = {
  /** What is not https needs a range of the operator's list too. */
  encrypted?: boolean
  addressesOf?: AddressesOf
}

/**
 * Why an agent's endpoint is refused, or null. Addresses that are not public (loopback, private, link-local with the
 * clouds' metadata services, unique local, …) need a range of `allow`, the operator's list in CIDR notation.
 */
export async function checkEndpoint(
  endpoint: string,
  allow: readonly string[],
  { encrypted = false, addressesOf = addressesBySystem }: Demands = {},
): Promise<string | null> {
  if (!URL.canParse(endpoint)) return `${endpoint} is not a URL`
  // The parser turns decimal, octal, hexadecimal and shortened IPv4 hosts into dotted ones.
  const url = new URL(endpoint)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `${url.protocol}// is neither http nor https`
  if (url.username !== '' || url.password !== '') return 'credentials do not belong in an endpoint'
  const addresses = await addressesOf(url.hostname)
  if (addresses.length === 0) return `${url.hostname} has no address`
  const plain = encrypted && url.protocol === 'http:'
  return addressRefusal(addresses, hostOf(url.hostname), allow, { plain })
}

/** Why one of the addresses of a host may not be connected to, or null. `plain`: what is sent there should be encrypted, and is not. */
export function addressRefusal(
  addresses: readonly string[],
  host: string,
  allow: readonly string[],
  { plain = false } = {},
): string | null {
  const ranges = allow.map((range) => ipaddr.parseCIDR(range))
  const refused = addresses
    .map((address) => ipaddr.process(address))
    .find((each) => (plain || !isPublic(each)) && !ranges.some((range) => isWithin(each, range)))
  if (!refused) return null
  const where = refused.toString() === host ? '' : ` of ${host}`
  const why = isPublic(refused)
    ? 'is called by https only: it is'
    : `is not a public address (${refused.range()}) and`
  return `${refused.toString()}${where} ${why} in no range that the operator allows`
}

/** Whether its host is an address, or a name that has one. */
export const hasAddress = async (endpoint: string): Promise<boolean> =>
  URL.canParse(endpoint) && (await addressesBySystem(new URL(endpoint).hostname)).length > 0

// Azure's platform address looks public and is not. IPv6 has given out 2000::/3 only; what carries an IPv4 address
// within it (6to4, Teredo) has a range of its own.
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false
  if (address instanceof ipaddr.IPv4) return address.toString() !== '168.63.129.16'
  return address.match(ipaddr.IPv6.parse('2000::'), 3)
}

function isWithin(address: Address, [range, bits]: [Address, number]): boolean {
  if (address instanceof ipaddr.IPv4) return range instanceof ipaddr.IPv4 && address.match(range, bits)
  return range instanceof ipaddr.IPv6 && address.match(range, bits)
}
