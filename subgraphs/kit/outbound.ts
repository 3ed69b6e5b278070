import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import ipaddr from 'ipaddr.js'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { type AddressesOf, hostOf } from './addresses.ts'
import { addressRefusal } from './endpoint.ts'

export type OutboundOptions = {
  /** Ranges that are allowed though they are not public, in CIDR notation. */
  allow: readonly string[]
  /** URLs of the operator's own, whose origins are connected to wherever they lead. */
  trusted: readonly string[]
  /** What is not https needs such a range too. */
  encrypted?: boolean
  /** Instead of the system's. */
  addressesOf?: AddressesOf
}

/**
 * What calls of addresses that others have named go through. Each connection is held to the rule of `checkEndpoint` by the
 * address that it is made to: a name that was checked may lead elsewhere a moment later. Refused connections fail with
 * the reason.
 */
export function openOutbound({
  allow,
  trusted,
  encrypted = false,
  addressesOf,
}: OutboundOptions): Dispatcher {
  const origins = new Set(trusted.map((url) => new URL(url).origin))
  const direct = buildConnector({})
  const find = addressesOf ? findBy(addressesOf) : findBySystem
  const guarded = buildConnector({ lookup: guardedLookup(find, allow, false) })
  const guardedPlain = buildConnector({ lookup: guardedLookup(find, allow, true) })
  return new Agent({
    connect(options, callback) {
      const { protocol, hostname, port } = options
      const host = hostname.includes(':') ? `[${hostOf(hostname)}]` : hostname
      if (origins.has(new URL(`${protocol}//${host}:${port}`).origin)) return direct(options, callback)
      const plain = encrypted && protocol === 'http:'
      const literal = hostOf(hostname)
      // What is an address already is not looked up.
      const refusal = ipaddr.isValid(literal) ? addressRefusal([literal], literal, allow, { plain }) : null
      if (refusal !== null) return callback(new Error(refusal), null)
      if (plain) guardedPlain(options, callback)
      else guarded(options, callback)
    },
  })
}

type Find = (
  hostname: string,
  options: LookupOptions,
  callback: (error: Error | null, found: LookupAddress[]) => void,
) => void

const findBySystem: Find = (hostname, options, callback) =>
  lookup(hostname, { ...options, all: true }, callback)

function findBy(addressesOf: AddressesOf): Find {
  const find = callbackify(async (hostname: string) =>
    (await addressesOf(hostname)).map((address) => ({ address, family: isIP(address) })),
  )
  return (hostname, _, callback) => find(hostname, callback)
}

const guardedLookup =
  (find: Find, allow: readonly string[], plain: boolean): LookupFunction =>
  (hostname, options, callback) =>
    find(hostname, options, (error, found) => {
      if (error) return callback(error, [])
      const refusal = addressRefusal(
        found.map(({ address }) => address),
        hostname,
        allow,
        { plain },
      )
      const [first] = found
      if (refusal !== null || !first) return callback(new Error(refusal ?? `${hostname} has no address`), [])
      if (options.all) callback(null, found)
      else callback(null, first.address, first.family)
    })
