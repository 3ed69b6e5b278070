import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { readConfig } from '@community/infra/config.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import { createLog } from '@community/infra/log.ts'
import { composeServices, compositionHasErrors } from '@theguild/federation-composition'
import type * as graphql from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { type Gateway, startGateway } from '../gateway.ts'
import type { Answer } from '../operation.ts'

// The instance that @apollo/subgraph loads, also where the test runner picks the other one that the package ships.
const { execute, parse, subscribe, validate } = createRequire(import.meta.url)('graphql') as typeof graphql

export type TestSubgraph = { typeDefs: string; resolvers?: Record<string, unknown> }
type Fetched = {
  subgraph: string
  query: string
  variables: Record<string, unknown>
  headers: IncomingHttpHeaders
}

export type Behaviour = (response: ServerResponse) => void

export type TestGraph = AsyncDisposable & {
  url: string
  wsUrl: string
  /** What the subgraphs were asked, in order. */
  fetched: Fetched[]
  ask(query: string, variables?: Record<string, unknown>, headers?: Record<string, string>): Promise<Answer>
  /** Response headers of the subgraph from now on. */
  sendHeaders(subgraph: string, headers: Record<string, string>): void
  /** From now on the subgraph answers with this body, whatever it is asked. */
  answerWith(subgraph: string, body: string, status?: number): void
  /** From now on this answers instead of the subgraph; null: the subgraph again. */
  behave(subgraph: string, behaviour: Behaviour | null): void
  /** What `GET path` answers. */
  get(path: string): Promise<{ status: number; text: string }>
  /** The value of a metric as `GET /metrics` tells it; NaN where it is not told. */
  metric(name: string): Promise<number>
  /** The supergraph of these subgraphs, at the addresses of those that were started. */
  sdlOf(subgraphs: Record<string, TestSubgraph>): string
  reload: Gateway['reload']
  stopGateway: Gateway['stop']
  stopSubgraph(name: string): Promise<void>
  /** Cuts the connections over which the subgraph serves subscriptions. */
  dropSockets(subgraph: string): void
}

const federation = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [
  "@key" "@requires" "@provides" "@external" "@shareable" "@interfaceObject" "@inaccessible" "@override" "@composeDirective"
  "@authenticated" "@requiresScopes" "@policy" "@context" "@fromContext" "@cost" "@listSize"])`

export const eventLink = `extend schema
  @link(url: "https://ossa.community/event/v1.0", import: ["@event"]) @composeDirective(name: "@event")
  directive @event(topic: String!, key: String, where: [String!], entity: String) on FIELD_DEFINITION`

/** The supergraph of small subgraphs; `federation` directives are imported for them. */
export function composeSdl(
  subgraphs: Record<string, TestSubgraph>,
  urls: Record<string, string> = {},
): string {
  const composition = composeServices(
    Object.entries(subgraphs).map(([name, { typeDefs }]) => ({
      name,
      typeDefs: parse(`${federation}\n${typeDefs}`),
      url: urls[name] ?? `http://127.0.0.1:1/${name}`,
    })),
  )
  if (compositionHasErrors(composition))
    throw new Error(composition.errors.map(({ message }) => message).join('\n'))
  return composition.supergraphSdl
}

/** Subgraphs over HTTP and the gateway in front of them, as in production but in this process. */
export async function startGraph(
  subgraphs: Record<string, TestSubgraph>,
  options: {
    env?: Record<string, string>
    eventLog?: EventLog
    fetchDeadlineMs?: number
    logLevel?: string
    /** What becomes of the composed supergraph. */
    alter?: (sdl: string) => string
  } = {},
): Promise<TestGraph> {
  const fetched: Fetched[] = []
  const instead = new Map<string, Behaviour>()
  const headers = new Map<string, Record<string, string>>()
  const servers = new Map<string, Served>()
  const urls: Record<string, string> = {}
  for (const [name, subgraph] of Object.entries(subgraphs)) {
    const served = await serveSubgraph(name, subgraph, fetched, instead, headers)
    servers.set(name, served)
    urls[name] = `http://127.0.0.1:${(served.server.address() as AddressInfo).port}/graphql`
  }
  const gateway = await startGateway({
    sdl: (options.alter ?? String)(composeSdl(subgraphs, urls)),
    port: 0,
    config: readConfig({ ...deadline(options.fetchDeadlineMs), ...options.env }),
    log: createLog('test', options.logLevel ?? 'error'),
    eventLog: options.eventLog ?? null,
  })
  const stopSubgraph = async (name: string) => await servers.get(name)?.stop()
  const get = async (path: string) => {
    const response = await fetch(new URL(path, gateway.url))
    return { status: response.status, text: await response.text() }
  }
  return {
    url: gateway.url,
    wsUrl: gateway.url.replace('http', 'ws'),
    fetched,
    async ask(query, variables, more) {
      const response = await fetch(gateway.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...more },
        body: JSON.stringify({ query, variables }),
      })
      return (await response.json()) as Answer
    },
    sendHeaders: (name, sent) => void headers.set(name, sent),
    answerWith: (name, body, status = 200) =>
      void instead.set(name, (response) =>
        response.writeHead(status, { 'content-type': 'application/json', ...headers.get(name) }).end(body),
      ),
    behave: (name, behaviour) => void (behaviour ? instead.set(name, behaviour) : instead.delete(name)),
    get,
    async metric(name) {
      const line = (await get('/metrics')).text.split('\n').find((each) => each.startsWith(`${name} `))
      return Number(line?.split(' ').at(-1))
    },
    sdlOf: (others) => composeSdl(others, urls),
    reload: gateway.reload,
    stopGateway: gateway.stop,
    stopSubgraph,
    dropSockets: (name) => servers.get(name)?.dropSockets(),
    async [Symbol.asyncDispose]() {
      await gateway.stop()
      await Promise.all([...servers.values()].flatMap(({ server, stop }) => (server.listening ? stop() : [])))
    },
  }
}

const deadline = (deadlineMs: number | undefined): Record<string, string> =>
  deadlineMs === undefined ? {} : { SUBGRAPH_POLICIES: JSON.stringify({ '*': { deadlineMs } }) }

type Served = { server: Server; dropSockets: () => void; stop: () => Promise<void> }

async function serveSubgraph(
  name: string,
  { typeDefs, resolvers = {} }: TestSubgraph,
  fetched: Fetched[],
  insteadOf: ReadonlyMap<string, Behaviour>,
  headersOf: ReadonlyMap<string, Record<string, string>>,
): Promise<Served> {
  const schema = buildSubgraphSchema([
    { typeDefs: parse(`${federation}\n${typeDefs}`), resolvers: resolvers as never },
  ])
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
      const { query, variables } = JSON.parse(Buffer.concat(chunks).toString()) as Fetched
      fetched.push({ subgraph: name, query, variables, headers: request.headers })
      const instead = insteadOf.get(name)
      if (instead) return instead(response)
      const document = parse(query)
      const errors = validate(schema, document)
      const result =
        errors.length > 0
          ? { errors }
          : await execute({ schema, document, variableValues: variables, rootValue: {} })
      return response
        .writeHead(200, { 'content-type': 'application/json', ...headersOf.get(name) })
        .end(JSON.stringify(result))
    })()
  })
  const sockets = new WebSocketServer({ server, path: '/graphql' })
  useServer(
    {
      schema,
      execute,
      subscribe,
      validate,
      onSubscribe({ extra: { request } }, _id, { query, variables }) {
        fetched.push({ subgraph: name, query, variables: variables ?? {}, headers: request.headers })
      },
    },
    sockets,
  )
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const dropSockets = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  const stop = () =>
    new Promise<void>((resolve) => {
      dropSockets()
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { server, dropSockets, stop }
}
