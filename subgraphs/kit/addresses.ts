import { lookup, Resolver } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'

/** Addresses of the host of a URL; none where it has none, or nobody says so in time. */
export type AddressesOf = (hostname: string) => Promise<string[]>

const lookupTimeoutMs = 5_000

/** As the system knows them, its hosts file too. */
export const addressesBySystem: AddressesOf = async (hostname) => {
  const host = hostOf(hostname)
  if (ipaddr.isValid(host)) return [host]
  const found = await Promise.race([
    lookup(host, { all: true }).catch(() => []),
    new Promise<[]>((resolve) => setTimeout(resolve, lookupTimeoutMs, []).unref()),
  ])
  return found.map(({ address }) => address)
}

/**
 * By DNS alone. The system looks up in one of the process's four threads, which a name server that does not answer holds for up to a
 * minute, and in which tokens are verified too: names that strangers choose by the dozen are better asked for so.
 */
export function addressesByDns({
  servers,
  timeoutMs = 2_000,
}: {
  servers?: readonly string[]
  timeoutMs?: number
} = {}): AddressesOf {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 })
  if (servers) resolver.setServers(servers)
  return async (hostname) => {
    const host = hostOf(hostname)
    if (ipaddr.isValid(host)) return [host]
    // RFC 6761: no server is asked for it.
    if (/^(.+\.)?localhost$/i.test(host)) return ['127.0.0.1']
    const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    return found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  }
}

/** Of an IPv6 address without its brackets. */
export const hostOf = (hostname: string) => hostname.replace(/^\[|\]$/g, '')
