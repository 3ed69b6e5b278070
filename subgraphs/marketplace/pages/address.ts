import ipaddr from 'ipaddr.js'
import { hostOf } from '../../kit/addresses.ts'
import { addressRefusal } from '../../kit/endpoint.ts'
import { badInput } from '../../kit/errors.ts'

const longest = 2_000

/** An https address for a browser to open, as browsers write it. */
export function webAddress(given: string, argument: string): string {
  const problem = problemOf(given)
  if (problem === null) return new URL(given).href
  throw badInput(
    `${argument} ${problem}`,
    argument,
    `an https URL of a public host, at most ${longest} characters`,
  )
}

/**
 * Why it is none, or null. Nothing is fetched and no name looked up: whoever opens it does that. Hosts of the reader's own network
 * are refused where they can be told by their form.
 */
export function problemOf(given: string): string | null {
  if (given.length > longest) return `has ${given.length} characters`
  if (!URL.canParse(given)) return 'is no URL'
  const { protocol, username, password, hostname, href } = new URL(given)
  if (protocol !== 'https:') return 'is not https'
  if (username !== '' || password !== '') return 'has credentials in it'
  if (href.length > longest) return `has ${href.length} characters as browsers write it`
  const host = hostOf(hostname)
  if (ipaddr.isValid(host)) return addressRefusal([host], host, []) && `leads to ${host}, which is not public`
  return isOfAPrivateNetwork(host) ? `names ${host}, which is no public host` : null
}

const isOfAPrivateNetwork = (host: string): boolean =>
  !host.replace(/\.$/, '').includes('.') || /\.(?:localhost|local|internal|lan|home\.arpa)\.?$/.test(host)
