import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Between choice and use lie seconds. Thirteen ports drawn from 22,000 hold two of the same in one start of 280.
const given = new Set<number>()

/** A port nobody listens on and that was not given before, below the range from which the system takes ports for outgoing connections. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = randomInt(10_000, 32_000)
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
  throw new Error('no free port between 10000 and 32000')
}

export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer()
  return await new Promise((answer) => {
    server.once('error', () => answer(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => answer(true)))
  })
}

/** How URLs name a host that a server listens on: one on all addresses is asked at the loopback. */
export function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
