import { isUtf8 } from 'node:buffer'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { GraphQLError } from 'graphql'
import { z } from 'zod'
import type { Limits } from '../guard/limits.ts'
import { corsHeaders, type Origins, preflightHeaders } from '../guard/origin.ts'
import type { ClientRequest } from '../guard/persisted.ts'
import { type Answer, answerText } from '../operation.ts'
import { refusal } from '../refusal.ts'
import { createSieve } from '../sieve.ts'
import { type PartFormat, sendParts } from './parts.ts'
import type { StreamFormat, Streams, Watchable } from './streams.ts'

/** What a client's request brings besides the operation. */
export type Head = {
  authorization: string | undefined
  headers: IncomingHttpHeaders
  /** Of the client; empty where nobody asks. */
  address: string
}

/** Who may ask, and how much. */
export type Gate = {
  limits: Limits
  origins: Origins
  addressOf: (request: IncomingMessage) => string
}

/** Never throws: what goes wrong is in the answer. `readOnly` refuses mutations; `inParts` allows an answer in parts. */
export type AnswerOperation = (
  request: ClientRequest,
  head: Head,
  options: { signal: AbortSignal; readOnly: boolean; inParts: boolean },
) => Promise<Served>

/** A subscription is let in, and not begun. */
export type Served = AnswerInParts | Watchable

/** `rest` is null where the first part is all. */
export type AnswerInParts = { first: Answer; rest: AsyncIterable<object> | null }

/** A page or a probe, by its path. */
export type Route = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** GraphQL over HTTP at /graphql, and the routes. */
export function createHttpServer(
  answerOperation: AnswerOperation,
  routes: ReadonlyMap<string, Route>,
  gate: Gate,
  streams: Streams,
  onFault: (error: unknown) => void,
): Server {
  const answerGraphql = graphql(answerOperation, gate, streams, routes.has('/graphiql'))
  return createServer({ requestTimeout: 60_000, headersTimeout: 20_000 }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const route = path === '/graphql' ? answerGraphql : routes.get(path)
    const answered = route ? route(request, response) : send(response, 404, 'text/plain', 'not found\n')
    Promise.resolve(answered).catch((error: unknown) => {
      // A client that leaves in the middle of its request is no fault.
      if (response.destroyed) return
      onFault(error)
      if (!response.headersSent) send(response, 500, 'text/plain', 'internal error\n')
    })
  })
}

const graphqlJson = 'application/graphql-response+json'

function graphql(
  answerOperation: AnswerOperation,
  gate: Gate,
  streams: Streams,
  hasGraphiql: boolean,
): Route {
  return async (request, response) => {
    const { mediaType, format, stream } = accepted(request.headers.accept)
    const respond = (answer: Answer, status = statusOf(answer, mediaType ?? graphqlJson)) => {
      // The next request finds an instance that stays.
      if (status === 503) response.setHeader('connection', 'close')
      setRefusalHeaders(response, answer, status)
      send(response, status, `${mediaType ?? 'application/json'}; charset=utf-8`, answerText(answer))
    }
    const refuse = (error: unknown) => {
      if (!(error instanceof GraphQLError)) throw error
      return respond({ errors: [error.toJSON()] }, httpStatus[String(error.extensions.code)] ?? 400)
    }
    if (hasGraphiql && isNavigation(request)) {
      response.setHeader('location', '/graphiql')
      return send(response, 303, 'text/plain', '')
    }
    try {
      const origin = gate.origins(request.headers)
      if (origin !== null) response.setHeaders(new Headers({ ...corsHeaders(origin), vary: 'origin' }))
      if (origin !== null && isPreflight(request)) return preflight(request, response)
    } catch (error) {
      return refuse(error)
    }
    if (request.method !== 'POST' && request.method !== 'GET') {
      response.setHeader('allow', 'GET, POST')
      return respond(refusedAnswer('METHOD_NOT_ALLOWED', 'expected GET or POST'), 405)
    }
    if (mediaType === null && format === null && stream === null)
      return respond(refusedAnswer('NOT_ACCEPTABLE', `this answers ${graphqlJson} and application/json`), 406)
    let operation: ClientRequest | ClientRequest[]
    let head: Head
    try {
      head = headOf(request, gate)
      operation =
        request.method === 'GET'
          ? requestInUrl(request.url ?? '')
          : operationRequests(await json(request, gate.limits.bodyBytes), gate.limits.batch)
    } catch (error) {
      return refuse(error)
    }
    const gone = new AbortController()
    // An abort costs more than the rest of a small request: it is for clients that leave.
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new Error('the client is gone'))
    })
    if (Array.isArray(operation)) {
      const answers = await answersOf(operation, (each) =>
        answerOperation(each, head, { signal: gone.signal, readOnly: false, inParts: false }),
      )
      if (response.destroyed) return
      const status = Math.min(...answers.map((each) => statusOf(each, mediaType ?? graphqlJson)))
      for (const answer of answers) setRefusalHeaders(response, answer, status)
      return send(
        response,
        status,
        `${mediaType ?? 'application/json'}; charset=utf-8`,
        `[${answers.map(answerText).join()}]`,
      )
    }
    const answer = await answerOperation(operation, head, {
      signal: gone.signal,
      readOnly: request.method === 'GET',
      inParts: format !== null,
    })
    // Events tell also what is wrong with a document (graphql-sse), but not what HTTP has a status for.
    const isPlain = (refused: Answer) => mediaType !== null || isRefusal(refused)
    if ('watch' in answer) {
      if (response.destroyed) return
      if (stream === null) return respond(notStreamed)
      return streams.open(response, stream, answer, (errors) => {
        if (!isPlain({ errors })) return false
        respond({ errors })
        return true
      })
    }
    const { first, rest } = answer
    if (first.errors?.[0]?.extensions?.code === 'METHOD_NOT_ALLOWED') response.setHeader('allow', 'POST')
    if (request.method === 'GET') setLifetime(response, first.cacheControl)
    if (response.destroyed) return
    if (format !== null && (rest || !isPlain(first)))
      return await sendParts(response, format, texts(first, rest))
    respond(first)
  }
}

const isPreflight = ({ method, headers }: IncomingMessage): boolean =>
  method === 'OPTIONS' && headers['access-control-request-method'] !== undefined

function preflight(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(204, preflightHeaders(request.headers)).end()
}

// Each in its turn of the event loop: what a batch may block is what one operation may.
async function answersOf(
  operations: readonly ClientRequest[],
  answer: (operation: ClientRequest) => Promise<Served>,
): Promise<Answer[]> {
  const answers: Promise<Served>[] = []
  for (const operation of operations) {
    answers.push(answer(operation))
    await setImmediate()
  }
  return (await Promise.all(answers)).map((each) => ('watch' in each ? notStreamed : each.first))
}

function headOf(request: IncomingMessage, { addressOf }: Gate): Head {
  const { authorization } = request.headers
  // Node keeps the first; which of them another reader of the request would take is unknown.
  if (authorization !== undefined && timesGiven(request, 'authorization') > 1)
    throw refusal('BAD_REQUEST', 'several Authorization headers: expected one')
  return { authorization, headers: request.headers, address: addressOf(request) }
}

export function timesGiven({ rawHeaders }: IncomingMessage, name: string): number {
  let times = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const given = rawHeaders[index]!
    if (given.length === name.length && given.toLowerCase() === name) times++
  }
  return times
}

// A browser's address bar, and not a client of the API.
const isNavigation = ({ method, url, headers }: IncomingMessage): boolean =>
  method === 'GET' &&
  !/[?&](query|documentId|extensions)=/.test(url ?? '') &&
  (headers.accept?.startsWith('text/html') ?? false)

async function* texts(first: Answer, rest: AsyncIterable<object> | null): AsyncGenerator<string, void, void> {
  yield answerText(first)
  for await (const part of rest ?? []) yield JSON.stringify(part)
}

type Accepted = {
  /** Null where the client takes none of ours. Without a wish it is the older one. */
  mediaType: string | null
  /** For an answer in parts; null where the client takes one part only. */
  format: PartFormat | null
  /** For a subscription; null where the client takes none. */
  stream: StreamFormat | null
}

// Clients of a kind send the same header with each request.
const knownWishes = createSieve<Accepted>(1_000, 50_000)

function accepted(accept: string | undefined): Accepted {
  if (accept === undefined || accept.trim() === '')
    return { mediaType: 'application/json', format: null, stream: null }
  const known = knownWishes.get(accept)
  if (known) return known
  const understood = understoodWishes(accept)
  knownWishes.set(accept, understood)
  return understood
}

function understoodWishes(accept: string): Accepted {
  const wishes = accept
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part
        .split(';')
        .map((each) => each.trim().toLowerCase().replaceAll('"', ''))
      const weight = parameters.find((each) => each.startsWith('q='))
      return { type, parameters, q: weight === undefined ? 1 : Number(weight.slice(2)) || 0 }
    })
    .filter((wish) => wish.q > 0)
    .toSorted((a, b) => b.q - a.q)
  const types = wishes.flatMap(({ type }) => {
    if (type === graphqlJson || type === 'application/json') return type
    return type === '*/*' || type === 'application/*' ? 'application/json' : []
  })
  const formatFor = (specification: string) => {
    const wish = wishes.find(
      ({ type, parameters }) =>
        type === 'text/event-stream' || (type === 'multipart/mixed' && parameters.includes(specification)),
    )
    if (!wish) return null
    return wish.type === 'multipart/mixed' ? 'multipart' : 'events'
  }
  return {
    mediaType: types[0] ?? null,
    format: formatFor('deferspec=20220824'),
    stream: formatFor('subscriptionspec=1.0'),
  }
}

const persistedQuery = z.object({
  version: z.literal(1, { error: 'expected 1' }),
  sha256Hash: z.string({ error: 'expected a string' }).min(1, 'expected a hash'),
})
const params = z.object({
  query: z.string({ error: 'expected the document as a string' }).nullish(),
  documentId: z.string({ error: 'expected a string' }).min(1, 'expected an id').nullish(),
  operationName: z.string({ error: 'expected a string' }).nullish(),
  variables: z.record(z.string(), z.unknown(), { error: 'expected an object' }).nullish(),
  extensions: z
    .looseObject({ persistedQuery: persistedQuery.nullish() }, { error: 'expected an object' })
    .nullish(),
})

/** Throws BAD_REQUEST with the parameter that is wrong. */
export function operationRequest(value: unknown): ClientRequest {
  const parsed = params.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue?.path.join('.') || 'the request'
    throw refusal('BAD_REQUEST', `${where}: ${issue?.path.length ? issue.message : 'expected a JSON object'}`)
  }
  const { query, documentId, operationName, variables, extensions } = parsed.data
  const hash = extensions?.persistedQuery?.sha256Hash
  const id = documentId?.replace(/^sha256:/, '') ?? hash
  if (hash !== undefined && id !== hash)
    throw refusal('BAD_REQUEST', 'documentId: expected that of extensions.persistedQuery, or one of the two')
  if (id === undefined && typeof query !== 'string')
    throw refusal('BAD_REQUEST', 'query: expected the document as a string')
  return {
    // Protocols that demand a query get an empty one beside the id.
    query: id === undefined ? (query ?? undefined) : query || undefined,
    id,
    operationName: operationName || undefined,
    variables: variables ?? undefined,
  }
}

function requestInUrl(url: string): ClientRequest {
  const search = new URL(url, 'http://localhost').searchParams
  const json = (name: string): unknown => {
    const text = search.get(name)
    return text === null || text === '' ? undefined : parseJson(text, name)
  }
  return operationRequest({
    query: search.get('query') ?? undefined,
    documentId: search.get('documentId') ?? undefined,
    operationName: search.get('operationName'),
    variables: json('variables'),
    extensions: json('extensions'),
  })
}

/** One, or those of a batch. */
function operationRequests(value: unknown, mostInBatch: number): ClientRequest | ClientRequest[] {
  if (!Array.isArray(value)) return operationRequest(value)
  if (mostInBatch === 0)
    throw refusal('BATCHING_DISABLED', 'a list of operations is not taken here: expected one JSON object')
  if (value.length === 0) throw refusal('BAD_REQUEST', 'the list of operations is empty')
  if (value.length > mostInBatch)
    throw refusal('BATCH_TOO_LARGE', `the batch: found ${value.length}, at most ${mostInBatch} allowed`, {
      limit: 'batch',
      found: value.length,
      allowed: mostInBatch,
    })
  return value.map(operationRequest)
}

// The content types of HTML forms are never taken: a foreign page could send them without asking the browser's leave.
async function json(request: IncomingMessage, mostBytes: number): Promise<unknown> {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase())
  const isOtherCharset = (parameter: string) =>
    parameter.startsWith('charset=') && !/^charset="?utf-?8"?$/.test(parameter)
  if (type !== 'application/json' || parameters.some(isOtherCharset))
    throw refusal('UNSUPPORTED_MEDIA_TYPE', 'expected content-type: application/json, in UTF-8')
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
    throw refusal('UNSUPPORTED_MEDIA_TYPE', 'expected a body without content-encoding')
  const body = await bytes(request, mostBytes)
  if (!isUtf8(body)) throw refusal('BAD_REQUEST', 'the body is not in UTF-8')
  return parseJson(body.toString(), 'the body')
}

// By its events: iterating costs a small request more than parsing it.
function bytes(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > mostBytes) throw tooLarge(announced, mostBytes)
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  let sizeBytes = 0
  const read = (chunk: Buffer) => {
    sizeBytes += chunk.length
    chunks.push(chunk)
    if (sizeBytes <= mostBytes) return
    request.off('data', read).pause()
    reject(tooLarge(sizeBytes, mostBytes))
  }
  request
    .on('data', read)
    .once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    .once('error', reject)
  return promise
}

const tooLarge = (found: number, allowed: number) =>
  refusal('PAYLOAD_TOO_LARGE', `the body's bytes: found ${found}, at most ${allowed} allowed`, {
    limit: 'bodyBytes',
    found,
    allowed,
  })

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw refusal('BAD_REQUEST', `${what}: expected JSON`)
  }
}

const httpStatus: Record<string, number> = {
  UNAUTHENTICATED: 401,
  FOREIGN_ORIGIN: 403,
  METHOD_NOT_ALLOWED: 405,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  OVERLOADED: 503,
  SHUTTING_DOWN: 503,
}

const isResult = (answer: Answer) => 'data' in answer || 'text' in answer

const ownStatus = ({ errors }: Answer) => httpStatus[String(errors?.[0]?.extensions?.code)]

/** Whether HTTP has words of its own for it. */
const isRefusal = (answer: Answer) => !isResult(answer) && ownStatus(answer) !== undefined

// The older media type says 200 for whatever GraphQL itself refuses (GraphQL over HTTP, 6.4.1).
function statusOf(answer: Answer, mediaType: string): number {
  if (isResult(answer)) return 200
  return ownStatus(answer) ?? (mediaType === graphqlJson ? 400 : 200)
}

function setRefusalHeaders(response: ServerResponse, { errors }: Answer, status: number): void {
  if (status === 401) response.setHeader('www-authenticate', 'Bearer error="invalid_token"')
  const wait = errors?.[0]?.extensions?.retryAfterSeconds
  if (typeof wait === 'number') response.setHeader('retry-after', wait)
}

// The answer has the media type that was asked for, and may be another's with other credentials.
function setLifetime(response: ServerResponse, cacheControl: string | undefined): void {
  response.setHeader('cache-control', cacheControl ?? 'no-store')
  if (cacheControl === undefined) return
  response.appendHeader('vary', cacheControl.endsWith('public') ? 'accept' : 'accept, authorization, cookie')
}

const refusedAnswer = (code: string, message: string): Answer => ({
  errors: [refusal(code, message).toJSON()],
})

const notStreamed = refusedAnswer(
  'SUBSCRIPTION_TRANSPORT',
  'a subscription takes a WebSocket (graphql-transport-ws), server-sent events (accept: text/event-stream) or ' +
    'multipart (accept: multipart/mixed;subscriptionSpec=1.0), all at /graphql',
)

const longCharacters = 8_192

export function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
): void {
  // What was not read of a refused body would be taken for the next request.
  if (!response.req.complete) response.setHeader('connection', 'close')
  // What is long would be walked through twice, to measure and to encode it; what is short goes out with its headers.
  const sent = typeof body === 'string' && body.length > longCharacters ? Buffer.from(body) : body
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(sent) })
  response.end(sent)
}
