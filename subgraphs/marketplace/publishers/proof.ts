import { Resolver } from 'node:dns/promises'
import { type Dispatcher, request } from 'undici'
import { z } from 'zod'
import { readText } from '../../kit/body.ts'

/** What is asked for at a domain. */
export type Asked = { domain: string; method: 'DNS' | 'WELL_KNOWN'; token: string }

/** Null where the domain has the token; else what was found instead, in words. */
export type Prove = (asked: Asked) => Promise<string | null>

type ProofOptions = {
  /** What files are fetched through; refuses addresses that are not public. */
  outbound: Dispatcher
  /** Addresses of name servers, with a port or without; none: the system's. */
  dnsServers: readonly string[]
  /** Where a domain's files are. */
  originOf?: (domain: string) => string
  withinMs?: number
}

const mostBytes = 64 * 1024

/** Asks domains for tokens, each within 8 s. */
export function openProofs({
  outbound,
  dnsServers,
  originOf = (domain) => `https://${domain}`,
  withinMs = 8_000,
}: ProofOptions): Prove {
  // Throws where one is no address: at the start, and not at every check.
  resolverOf(dnsServers, withinMs)
  return async ({ domain, method, token }) =>
    method === 'DNS'
      ? await problemInDns(dnsServers, domain, token, withinMs)
      : await problemInFile(outbound, `${originOf(domain)}${wellKnownPath}`, token, withinMs)
}

const wellKnownPath = '/.well-known/ossa-publisher.json'

/** What to put where. */
export function challengeOf({ domain, method, token }: Asked): { place: string; value: string } {
  return method === 'DNS'
    ? { place: recordName(domain), value: recordValue(token) }
    : { place: `https://${domain}${wellKnownPath}`, value: JSON.stringify({ tokens: [token] }) }
}

const recordName = (domain: string) => `_ossa-challenge.${domain}`
const recordValue = (token: string) => `ossa-publisher=${token}`

async function problemInDns(
  servers: readonly string[],
  domain: string,
  token: string,
  withinMs: number,
): Promise<string | null> {
  const resolver = resolverOf(servers, withinMs)
  const deadline = setTimeout(() => resolver.cancel(), withinMs)
  try {
    const records = await resolver.resolveTxt(recordName(domain))
    if (records.some((parts) => parts.join('') === recordValue(token))) return null
    return `none of the ${records.length} TXT records of ${recordName(domain)} is the challenge's`
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : null
    if (code === 'ENOTFOUND' || code === 'ENODATA') return `there is no TXT record ${recordName(domain)}`
    if (code === null) throw error
    return `name servers did not tell of ${recordName(domain)} (${code})`
  } finally {
    clearTimeout(deadline)
  }
}

function resolverOf(servers: readonly string[], withinMs: number): Resolver {
  const resolver = new Resolver({ timeout: withinMs / 4, tries: 2 })
  if (servers.length > 0) resolver.setServers(servers)
  return resolver
}

const file = z.object({ tokens: z.array(z.string()).max(100) })

async function problemInFile(
  outbound: Dispatcher,
  url: string,
  token: string,
  withinMs: number,
): Promise<string | null> {
  const signal = AbortSignal.timeout(withinMs)
  try {
    // Redirects are not followed: whoever can make a host send elsewhere does not have the host.
    const { statusCode, body } = await request(url, {
      dispatcher: outbound,
      headers: { accept: 'application/json' },
      signal,
    })
    if (statusCode !== 200) {
      await body.dump({ limit: mostBytes, signal })
      return `${url} answers ${statusCode}`
    }
    const text = await readText(body, mostBytes)
    if (text === null) return `${url} has more than ${mostBytes} bytes`
    const found = file.safeParse(jsonOf(text))
    if (!found.success) return `${url} is not { "tokens": ["…"] }`
    return found.data.tokens.includes(token) ? null : `the token is not among those of ${url}`
  } catch (error) {
    if (signal.aborted) return `${url} has not answered within ${withinMs / 1_000} s`
    return `${url} can not be fetched: ${error instanceof Error ? error.message : String(error)}`
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
