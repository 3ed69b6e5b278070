import { type LookupAddress, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { addressRefusal, hostOf } from './endpoint.ts'

export type OutboundOptions = {
  /** Ranges that are allowed though they are not public, in CIDR notation. */
  allow: readonly string[]
  /** URLs of the operator's own, whose origins are connected to wherever they lead. */
  trusted: readonly string[]
}

/**
 * What calls of addresses that others have named go through. Each connection is held to the rule of `checkEndpoint` by the
 * address that it is made to: a name that was checked may lead elsewhere a moment later. Refused connections fail with
 * the reason.
 */
export function openOutbound({ allow, trusted }: OutboundOptions): Dispatcher {
  const origins = new Set(trusted.map((url) => new URL(url).origin))
  const direct = buildConnector({})
  const guarded = buildConnector({ lookup: guardedLookup(allow) })
  return new Agent({
    connect(options, callback) {
      const { protocol, hostname, port } = options
      const host = hostname.includes(':') ? `[${hostOf(hostname)}]` : hostname
      if (origins.has(new URL(`${protocol}//${host}:${port}`).origin)) return direct(options, callback)
      const literal = hostOf(hostname)
      // What is an address already is not looked up.
      const refusal = ipaddr.isValid(literal) ? addressRefusal([literal], literal, allow) : null
      if (refusal !== null) return callback(new Error(refusal), null)
      guarded(options, callback)
    },
  })
}

const guardedLookup =
  (allow: readonly string[]): LookupFunction =>
  (hostname, options, callback) =>
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return callback(error, [])
      const refusal = addressRefusal(
        found.map(({ address }) => address),
        hostname,
        allow,
      )
      const [first] = found
      if (refusal !== null || !first) return callback(new Error(refusal ?? `${hostname} has no address`), [])
      if (options.all) callback(null, found)
      else callback(null, first.address, first.family)
    })
