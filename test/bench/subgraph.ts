import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { execute, parse } from 'graphql'
import { offer } from './child.ts'
import { link, shop } from './shop.ts'

/** One request to a subgraph, and when it came and was answered: milliseconds since 1970. */
export type Call = { url: string; body: string; from: number; to: number }

/** `identified`: those that carried something of the client's request. */
export type Count = { fetches: number; identified: number }

export type SubgraphOffers = {
  url(): string
  /** Since it was asked the last time. */
  count(): Count
  startRecording(): void
  recording(): Call[]
}

const [name = ''] = process.argv.slice(2)
const subgraph = shop[name]
if (!subgraph) throw new Error(`there is no subgraph ${name}`)
const schema = buildSubgraphSchema([
  { typeDefs: parse(link + subgraph.typeDefs), resolvers: subgraph.resolvers as never },
])

// Who is asked the same gives the same bytes: after the first time a subgraph costs next to nothing.
const answers = new Map<string, Buffer>()
const answersAtMost = 10_000
// So long a recorded call takes: calls that a gateway makes at once are then seen to overlap.
const recordedMs = 50

let count: Count = { fetches: 0, identified: 0 }
let calls: Call[] | null = null

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => void respond(request, Buffer.concat(chunks).toString(), response))
})
// A gateway's pooled connection must not be closed under it between two rounds.
server.keepAliveTimeout = 3_600_000
server.listen(0, '127.0.0.1', () => offer(offers))
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`

const offers: SubgraphOffers = {
  url,
  count() {
    const counted = count
    count = { fetches: 0, identified: 0 }
    return counted
  },
  startRecording() {
    calls = []
  },
  recording() {
    const recorded = calls ?? []
    calls = null
    return recorded
  },
}

async function respond(request: IncomingMessage, body: string, response: ServerResponse): Promise<void> {
  const { authorization, 'x-ossa-principal': principal } = request.headers
  count.fetches++
  if (authorization !== undefined || principal !== undefined) count.identified++
  if (calls) {
    const from = Date.now()
    calls.push({ url: url(), body, from, to: from + recordedMs })
    await sleep(recordedMs)
  }
  const answer = answers.get(body) ?? (await firstAnswer(body))
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
  response.end(answer)
}

async function firstAnswer(body: string): Promise<Buffer> {
  const { query, variables } = JSON.parse(body) as { query: string; variables?: Record<string, unknown> }
  const result = await execute({ schema, document: parse(query), variableValues: variables ?? {} })
  const answer = Buffer.from(JSON.stringify(result))
  if (answers.size >= answersAtMost) answers.clear()
  answers.set(body, answer)
  return answer
}
