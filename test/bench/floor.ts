import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Pool } from 'undici'
import { ask, bodyOf, type Contestant, type Gateway } from './contestant.ts'
import { nodeOptions } from './node-options.ts'
import type { Subgraphs } from './subgraphs.ts'

/** The calls that our plan of a query makes, in steps, and the answer that they lead to. */
type Recorded = { body: string; steps: { url: string; body: string }[][]; answer: string }

if (import.meta.main) {
  const [file = '', port = ''] = process.argv.slice(2)
  await serve(JSON.parse(await readFile(file, 'utf8')) as Recorded[], Number(port))
}

/**
 * The least that a gateway in Node can do: it makes the calls that `gateway` makes for a query, as recorded, and
 * answers what that answered. It parses nothing and puts nothing together.
 */
export async function floorOf(
  gateway: Gateway,
  subgraphs: Subgraphs,
  queries: readonly string[],
): Promise<Contestant> {
  const recorded: Recorded[] = []
  for (const query of queries) {
    // Asked before, so that it is planned and the connections are open.
    const { text: answer } = await ask(gateway, query)
    recorded.push({ body: bodyOf(query), steps: await subgraphs.record(() => ask(gateway, query)), answer })
  }
  return {
    name: 'floor',
    about: `the calls to subgraphs that ${gateway.name} makes, and nothing else`,
    async command({ folder, port }) {
      const file = join(folder, 'recorded.json')
      await writeFile(file, JSON.stringify(recorded))
      return {
        command: process.execPath,
        args: [...nodeOptions, import.meta.filename, file, `${port}`],
        path: '/',
      }
    },
  }
}

async function serve(recorded: Recorded[], port: number): Promise<void> {
  const byBody = new Map(
    recorded.map(({ body, steps, answer }) => [body, { steps, answer: Buffer.from(answer) }]),
  )
  const pools = new Map<string, Pool>()
  for (const { url } of recorded.flatMap(({ steps }) => steps.flat()))
    if (!pools.has(url)) pools.set(url, new Pool(url, { connections: 64 }))

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => void respond(Buffer.concat(chunks).toString()))
    const { authorization = '' } = request.headers

    async function respond(body: string): Promise<void> {
      const known = byBody.get(body)
      for (const step of known?.steps ?? [])
        await Promise.all(step.map((call) => post(pools.get(call.url), call.body, authorization)))
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(known?.answer ?? '{"data":{"__typename":"Query"}}')
    }
  })
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening))
}

function post(pool: Pool | undefined, body: string, authorization: string): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  pool?.dispatch(
    { path: '/', method: 'POST', headers: { 'content-type': 'application/json', authorization }, body },
    {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData: (_, chunk) => void chunks.push(chunk),
      onResponseEnd: () => resolve(Buffer.concat(chunks)),
      onResponseError: (_, error) => reject(error),
    },
  )
  return promise
}
