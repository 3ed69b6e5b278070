import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'

export type Canary = AsyncDisposable & {
  port: number
  /** A path that nobody can guess, and that is remembered under a name. */
  pathFor(name: string): string
  /** Names whose paths were asked for. */
  hits(): string[]
}

/** A server on loopback that nobody has a reason to ask: whoever does was sent there. */
export async function openCanary(): Promise<Canary> {
  const names = new Map<string, string>()
  const asked = new Set<string>()
  const server = createServer({ requestTimeout: 5_000 }, ({ url = '' }, response) => {
    const name = names.get(url.split('?')[0] ?? '')
    if (name !== undefined) asked.add(name)
    response
      .writeHead(name === undefined ? 404 : 200, { 'content-type': 'text/plain' })
      .end('nothing to see here\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the canary has no port')
  return {
    port: address.port,
    pathFor(name) {
      const path = `/${randomBytes(16).toString('hex')}`
      names.set(path, name)
      return path
    },
    hits: () => [...asked],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
