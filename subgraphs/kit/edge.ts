import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type ApolloServer, HeaderMap } from '@apollo/server'
import type { Log } from '@community/infra/log.ts'
import type { RequestContext } from './subgraph.ts'

/** What lives as long as one request. */
export type Request = {
  context: RequestContext
  /** Statements sent to the database so far. */
  statements: () => number
  /** Gives back what the request holds; called once it is answered, or when the client has gone. */
  end: () => Promise<void>
}

export type EdgeOptions = {
  apollo: ApolloServer<RequestContext>
  /** Throws a ClientError where the caller is not let in. */
  openRequest: (headers: IncomingMessage['headers']) => Promise<Request>
  ready: () => Promise<boolean>
  log: Log
}

/** An answer that is not GraphQL's to give: bad HTTP, or a caller who is not let in. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.code = code
  }
}

const maxBodyBytes = 2 * 1024 * 1024
const bodyTimeoutMs = 15_000

/** POST /graphql · GET /health/live · GET /health/ready. */
export function createEdge(options: EdgeOptions): Server {
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy()
      if (error instanceof Refusal) return sendError(response, error)
      options.log.error({ err: error }, 'a request failed')
      sendError(response, new Refusal(500, 'INTERNAL', 'internal error'))
    })
  })
  server.requestTimeout = bodyTimeoutMs
  return server
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: EdgeOptions,
): Promise<void> {
  const path = request.url?.split('?')[0]
  if (path === '/health/live') return send(response, 200, '{"status":"live"}')
  if (path === '/health/ready') {
    const ready = await options.ready()
    return send(response, ready ? 200 : 503, ready ? '{"status":"ready"}' : '{"status":"not ready"}')
  }
  if (path !== '/graphql') throw new Refusal(404, 'NOT_FOUND', 'only /graphql and /health are here')
  if (request.method !== 'POST') throw new Refusal(405, 'BAD_REQUEST', 'only POST is answered here')
  const opened = await options.openRequest(request.headers)
  response.once('close', () => void opened.end())
  try {
    await execute(request, response, opened, options)
  } finally {
    await opened.end()
  }
}

async function execute(
  request: IncomingMessage,
  response: ServerResponse,
  { context, statements, end }: Request,
  { apollo, log }: EdgeOptions,
): Promise<void> {
  const body = await jsonBody(request)
  const result = await apollo.executeHTTPGraphQLRequest({
    httpGraphQLRequest: { method: 'POST', headers: headerMap(request), search: '', body },
    context: async () => context,
  })
  await end()
  if (result.body.kind !== 'complete') throw new Error('subgraphs answer at once, not in parts')
  log.debug({ statements: statements(), status: result.status ?? 200 }, 'answered')
  send(response, result.status ?? 200, result.body.string, {
    ...Object.fromEntries(result.headers),
    'x-statements': String(statements()),
  })
}

async function jsonBody(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    throw new Refusal(415, 'BAD_REQUEST', 'expected content-type: application/json')
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBodyBytes) throw new Refusal(413, 'BAD_REQUEST', `at most ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown
  } catch {
    throw new Refusal(400, 'BAD_REQUEST', 'the body is not JSON')
  }
}

function headerMap(request: IncomingMessage): HeaderMap {
  const headers = new HeaderMap()
  for (const [name, value] of Object.entries(request.headers))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  return headers
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    ...headers,
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}

function sendError(response: ServerResponse, { status, code, message }: Refusal): void {
  // The rest of a refused body is not read: the connection can't be used again.
  send(response, status, JSON.stringify({ errors: [{ message, extensions: { code } }] }), {
    connection: 'close',
  })
}
