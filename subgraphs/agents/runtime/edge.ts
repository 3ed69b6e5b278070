import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Keys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import { readText } from '../../kit/body.ts'
import { control, type Reply } from './control.ts'
import type { Deployment } from './deployment.ts'
import { type Hosted, hostAgent, versionHeader } from './hosted.ts'
import { openMemory } from './memory.ts'
import { startReplicas } from './replicas.ts'
import { openRecentTasks } from './tasks.ts'
import type { StartThread } from './thread.ts'

export type PoolOptions = {
  name: string
  host: string
  /** 0 takes a free one. */
  port: number
  /** Purpose `internal`. */
  keys: Keys
  /** Starts a replica. */
  startThread: StartThread
  log: Log
  /** Most replicas. */
  most?: number
  /** Of one run of a skill. */
  deadlineMs?: number
  /** Runs in a replica at once, and those in line for one. */
  places?: number
  waiting?: number
  /** Hosted from the start; the pool is not ready without them. */
  deployments?: readonly PutDeployment[]
  /** Where others reach it, for the cards of its agents; its own address where absent. */
  publicUrl?: string
}

/** As it is put at `/deployments/<agentId>`. */
type PutDeployment = { agentId: string; deploymentId: string } & Record<string, unknown>

export type AgentPoolServer = { url: string; stop(): Promise<void> }

const maxMessageBytes = 512 * 1024
const maxManifestBytes = 1024 * 1024
const maxOutputChars = 1024 * 1024
const keptTasks = 500
const controlRooms = ['deployments', 'replicas', 'memory']

/**
 * Hosts agents: A2A at `/a2a/<id>` for callers with a token made out to the agent; for holders of a token made out to the pool
 * deployments at `/deployments`, the threads that run them at `/replicas`, what memory one takes at `/memory/<id>`. Ids are
 * percent-encoded.
 */
export async function servePool(options: PoolOptions): Promise<AgentPoolServer> {
  const { name, host, port, keys, startThread, log } = options
  const { most = 2, deadlineMs = 30_000, places = 16, waiting = 512 } = options
  const agents = new Map<string, Hosted>()
  const tasks = openRecentTasks(keptTasks)
  const replicas = startReplicas({ startThread, most, places, waiting, deadlineMs, maxOutputChars, log })
  const memory = openMemory({ startThread, maxOutputChars })
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    void answer(request, response)
  })
  try {
    await replicas.ready
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
  } catch (error) {
    await replicas.stop()
    throw error
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the pool has no port')
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`

  const hostHere = (agentId: string, deployment: Deployment) =>
    hostAgent({
      agentId,
      deployment,
      url: `${options.publicUrl ?? url}/a2a/${encodeURIComponent(agentId)}`,
      replicas,
      tasks: tasks.of(agentId),
      log,
    })
  const controlled = control({ agents, replicas, memory, host: hostHere })
  let isReady = false

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = await route(request).catch((error: unknown): Reply => {
      // The caller has gone amid its body: nobody waits for an answer.
      if (request.errored) return { status: 400 }
      log.error({ err: error, path: request.url }, 'a request failed')
      return { status: 500, body: { error: 'internal error' } }
    })
    if (!server.listening) response.setHeader('connection', 'close')
    send(response, reply)
  }

  async function route(request: IncomingMessage): Promise<Reply> {
    const steps = stepsOf(request.url ?? '/')
    if (!steps) return { status: 400, body: { error: 'the path is not well-formed' } }
    const [room, id, ...rest] = steps
    if (room === 'health') return healthOf(id, isReady)
    if (room === 'a2a' && id !== undefined) return await toAgent(request, id, rest.join('/'))
    if (room === undefined || !controlRooms.includes(room) || rest.length > 0) return notFound
    if ((await subjectOf(request, keys, `pool:${name}`)) === null) return unauthorized(`pool:${name}`)
    const text = await readText(request, maxManifestBytes)
    if (text === null) return tooLarge(maxManifestBytes)
    return await controlled(room, request.method ?? 'GET', id, text)
  }

  async function toAgent(request: IncomingMessage, agentId: string, rest: string): Promise<Reply> {
    const audience = `agent:${agentId}`
    const hosted = agents.get(agentId)
    if (rest === '.well-known/agent-card.json' && request.method === 'GET') {
      if (hosted?.visibility === 'PUBLIC') return { status: 200, body: hosted.card }
      if ((await subjectOf(request, keys, audience)) === null) return unauthorized(audience)
      return hosted ? { status: 200, body: hosted.card } : notFound
    }
    if (rest !== '') return notFound
    const subject = await subjectOf(request, keys, audience)
    if (subject === null) return unauthorized(audience)
    if (!hosted) return notFound
    if (request.method !== 'POST')
      return { status: 405, body: { error: 'expected POST' }, headers: { allow: 'POST' } }
    if (!/^application\/(a2a\+)?json\b/i.test(request.headers['content-type'] ?? ''))
      return { status: 415, body: { error: 'expected content-type: application/json' } }
    const text = await readText(request, maxMessageBytes)
    if (text === null) return tooLarge(maxMessageBytes)
    const message = objectOf(text)
    if (!message) return { status: 400, body: notJsonRpc }
    const version = request.headers[versionHeader]
    return { status: 200, body: await hosted.answer(message, subject, version?.toString()) }
  }

  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeIdleConnections()
    // Who waits for a measurement keeps the server open.
    await memory.stop()
    await closed
    await replicas.stop()
  }
  for (const { agentId, ...deployment } of options.deployments ?? []) {
    const { status, body } = await controlled('deployments', 'PUT', agentId, JSON.stringify(deployment))
    if (status < 300) continue
    await stop()
    throw new Error(`${agentId} can't be hosted: ${JSON.stringify(body)}`)
  }
  isReady = true
  return { url, stop }
}

const healthOf = (what: string | undefined, isReady: boolean): Reply => {
  if (what === 'live') return { status: 200, body: { status: 'live' } }
  if (what !== 'ready') return notFound
  return isReady ? { status: 200, body: { status: 'ready' } } : { status: 503, body: { status: 'starting' } }
}

const notFound: Reply = { status: 404, body: { error: 'there is nothing here' } }
const notJsonRpc = {
  jsonrpc: '2.0',
  id: null,
  error: { code: -32700, message: 'expected one JSON-RPC request, a JSON object' },
}

const unauthorized = (audience: string): Reply => ({
  status: 401,
  body: { error: `this needs a bearer token made out to ${audience}` },
  headers: { 'www-authenticate': 'Bearer' },
})

// The rest of the body is not read: the connection can't be used again.
const tooLarge = (bytes: number): Reply => ({
  status: 413,
  body: { error: `a body of at most ${bytes} bytes was expected` },
  headers: { connection: 'close' },
})

/** Whose token it is; null without a valid one that is made out to `audience`. */
async function subjectOf(request: IncomingMessage, keys: Keys, audience: string): Promise<string | null> {
  const [, token] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (token === undefined) return null
  const claims = await keys.verify(token, { audience }).catch(() => null)
  return claims?.sub ?? null
}

function stepsOf(url: string): string[] | null {
  try {
    const [path = ''] = url.split('?')
    return path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    return null
  }
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}

function send(response: ServerResponse, { status, body, headers }: Reply): void {
  if (body === undefined) return void response.writeHead(status, headers).end()
  const text = JSON.stringify(body)
  response
    .writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    })
    .end(text)
}
