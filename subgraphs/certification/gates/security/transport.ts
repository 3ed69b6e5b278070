import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { hostOf } from '../../../kit/addresses.ts'
import { addressRefusal, checkEndpoint } from '../../../kit/endpoint.ts'
import type { Weakness } from '../weakness.ts'
import { weakness } from './rules.ts'

export type TransportOptions = {
  endpointAllow: readonly string[]
  /** PEM, beside none of the usual ones; absent: those that Node knows. */
  authorities?: string
  timeoutMs: number
  signal: AbortSignal
}

const renewalMs = 14 * 24 * 60 * 60 * 1000
const at = '/spec/endpoint'

/** Whether what is said on the way to an endpoint stays there, and who answers can be known. */
export async function transportWeaknesses(endpoint: string, options: TransportOptions): Promise<Weakness[]> {
  if (new URL(endpoint).protocol === 'https:') return await tlsWeaknesses(endpoint, options)
  // What only the operator's ranges let through is in networks of the operator's own.
  const isPublic = (await checkEndpoint(endpoint, [])) === null
  return isPublic ? [weakness('plain-http', at, endpoint)] : []
}

async function tlsWeaknesses(endpoint: string, options: TransportOptions): Promise<Weakness[]> {
  const shaken = await handshake(new URL(endpoint), options)
  if ('problem' in shaken) return [weakness('bad-certificate', at, shaken.problem)]
  const { protocol, validTo } = shaken
  const leftMs = validTo.getTime() - Date.now()
  return leftMs < renewalMs
    ? [weakness('certificate-ends-soon', at, `${protocol}; its certificate ends at ${validTo.toISOString()}`)]
    : []
}

type Handshake = { protocol: string; validTo: Date } | { problem: string }

async function handshake(
  { hostname, port }: URL,
  { endpointAllow, authorities, timeoutMs, signal }: TransportOptions,
): Promise<Handshake> {
  const host = hostOf(hostname)
  const found = await lookup(host, { all: true }).catch(() => [])
  const addresses = found.map(({ address }) => address)
  const [address] = addresses
  if (address === undefined) return { problem: `${host} has no address` }
  // The name may lead elsewhere than a moment ago.
  const refusal = addressRefusal(addresses, host, endpointAllow)
  if (refusal !== null) return { problem: refusal }
  const socket = connect({
    host: address,
    port: port === '' ? 443 : Number(port),
    ...(isIP(host) === 0 && { servername: host }),
    ...(authorities !== undefined && { ca: authorities }),
    minVersion: 'TLSv1.2',
    // What is wrong with the certificate is to be told, not thrown.
    rejectUnauthorized: false,
  })
  const deadline = AbortSignal.timeout(timeoutMs)
  const ended = AbortSignal.any([deadline, signal])
  try {
    return await new Promise<Handshake>((resolve) => {
      socket.once('secureConnect', () => resolve(seenOf(socket)))
      socket.once('error', ({ message }) => resolve({ problem: `no TLS 1.2 or 1.3: ${message}` }))
      ended.addEventListener('abort', () => resolve({ problem: `no handshake within ${timeoutMs} ms` }), {
        once: true,
      })
    })
  } finally {
    socket.destroy()
    signal.throwIfAborted()
  }
}

function seenOf(socket: TLSSocket): Handshake {
  const { valid_to: validTo } = socket.getPeerCertificate()
  // Node types it as an Error; it is the error's code.
  const error: unknown = socket.authorizationError
  if (!socket.authorized) return { problem: `${String(error)}, its certificate ends at ${validTo}` }
  return { protocol: socket.getProtocol() ?? 'TLS', validTo: new Date(validTo) }
}
