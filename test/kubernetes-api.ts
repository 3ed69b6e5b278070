import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { isDeepStrictEqual } from 'node:util'
import { schemaViolations } from './kubernetes-schema.ts'

type Fields = Record<string, unknown>
type StoredObject = Fields & {
  kind: string
  metadata: {
    name: string
    resourceVersion: string
    generation: number
    labels?: Record<string, string>
  } & Fields
  spec?: Fields
  status?: Fields
}

export type KubernetesApi = {
  url: string
  /** As stored, by `kind/name`. */
  objects: Map<string, StoredObject>
  /** As `PATCH Deployment/x`, without those that only read. */
  writes: string[]
  /** What the Role of whoever asks has to allow, as `patch deployments`. */
  used: Set<string>
  /** What becomes of the pods of a new generation. */
  pods: 'READY' | 'CRASHING' | 'NEVER_SEEN'
  /** So many of the next changes meet a newer object than the one that was read. */
  conflicts: number
  /** Puts something there that is somebody else's. */
  put(object: Fields): void
  close(): Promise<void>
}

const kindOf: Record<string, string> = {
  configmaps: 'ConfigMap',
  services: 'Service',
  deployments: 'Deployment',
}

/**
 * A stand-in for the API server of one namespace: objects with resource versions and generations, server-side apply,
 * lists, watches, and a controller that plays rollouts. Whatever is sent is held to Kubernetes' published schema.
 */
export async function startKubernetesApi(namespace: string): Promise<KubernetesApi> {
  const objects = new Map<string, StoredObject>()
  const applied = new Map<string, Fields>()
  const writes: string[] = []
  const used = new Set<string>()
  const watchers = new Set<{ name: string; response: ServerResponse }>()
  let version = 100

  const store = (object: StoredObject, type: 'ADDED' | 'MODIFIED' | 'DELETED') => {
    object.metadata.resourceVersion = String(++version)
    const key = `${object.kind}/${object.metadata.name}`
    if (type === 'DELETED') objects.delete(key)
    else objects.set(key, object)
    for (const { name, response } of watchers)
      if (object.kind === 'Deployment' && object.metadata.name === name)
        response.write(`${JSON.stringify({ type, object })}\n`)
  }

  const changed = (object: StoredObject, previous: StoredObject | undefined) => {
    if (previous && isDeepStrictEqual(withoutVersion(previous), withoutVersion(object))) return previous
    if (previous && !isDeepStrictEqual(previous.spec, object.spec)) object.metadata.generation++
    store(object, previous ? 'MODIFIED' : 'ADDED')
    if (object.kind === 'Deployment' && object.metadata.generation !== previous?.metadata.generation)
      void playRollout(object.metadata.name, object.metadata.generation)
    return object
  }

  /** The old pod serves until the new one does. */
  async function playRollout(name: string, generation: number) {
    const show = async (status: Fields) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      const current = objects.get(`Deployment/${name}`)
      if (current?.metadata.generation !== generation) return
      store({ ...current, metadata: { ...current.metadata }, status }, 'MODIFIED')
    }
    if (api.pods === 'NEVER_SEEN') return
    const wished = Number(objects.get(`Deployment/${name}`)?.spec?.replicas ?? 1)
    const before = Number(objects.get(`Deployment/${name}`)?.status?.availableReplicas ?? 0)
    const going = {
      observedGeneration: generation,
      updatedReplicas: 1,
      replicas: before + 1,
      availableReplicas: before,
    }
    await show(going)
    if (api.pods === 'CRASHING')
      return await show({
        ...going,
        conditions: [
          {
            type: 'Progressing',
            status: 'False',
            reason: 'ProgressDeadlineExceeded',
            message: `ReplicaSet "${name}" has timed out progressing.`,
          },
        ],
      })
    await show({
      observedGeneration: generation,
      updatedReplicas: wished,
      replicas: wished,
      availableReplicas: wished,
      conditions: [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }],
    })
  }

  function apply(kind: string, name: string, body: Fields, query: URLSearchParams): [number, object] {
    if (!query.get('fieldManager')) return refusal(400, 'fieldManager is required for apply patch')
    const violations = schemaViolations(body)
    if (violations.length > 0) return refusal(400, `strict decoding error: ${violations.join('; ')}`)
    const key = `${kind}/${name}`
    const previous = objects.get(key)
    const { metadata, ...rest } = body as Fields & { metadata: Fields }
    if (metadata.name !== name || metadata.namespace !== namespace)
      return refusal(400, 'the name of the object does not match the URL')
    const { resourceVersion, ...wanted } = metadata
    if (resourceVersion !== undefined && api.conflicts > 0) {
      api.conflicts--
      if (previous) store({ ...previous, metadata: { ...previous.metadata } }, 'MODIFIED')
      return refusal(409, `Operation cannot be fulfilled on ${key}: the object has been modified`)
    }
    if (resourceVersion !== undefined && resourceVersion !== previous?.metadata.resourceVersion)
      return refusal(409, `Operation cannot be fulfilled on ${key}: the object has been modified`)
    if (previous && !applied.has(key) && query.get('force') !== 'true')
      return refusal(409, `Apply failed with 1 conflict: conflict with "kubectl"`)
    if (previous?.immutable === true && !isDeepStrictEqual(previous.data, rest.data))
      return refusal(422, `${key} is invalid: data: Forbidden: field is immutable when \`immutable\` is set`)
    if (
      kind === 'Deployment' &&
      previous &&
      !isDeepStrictEqual(previous.spec?.selector, (rest.spec as Fields).selector)
    )
      return refusal(422, `${key} is invalid: spec.selector: field is immutable`)
    const own = { ...rest, metadata: wanted }
    const base = previous
      ? (without(previous, applied.get(key) ?? {}) as StoredObject)
      : { kind, metadata: { creationTimestamp: new Date().toISOString(), generation: 1 } }
    const merged = merge(base, own) as StoredObject
    if (kind === 'Deployment') merged.spec = { replicas: 1, ...merged.spec }
    applied.set(key, own)
    return [previous ? 200 : 201, changed(merged, previous)]
  }

  function scale(name: string, body: Fields): [number, object] {
    const previous = objects.get(`Deployment/${name}`)
    if (!previous) return notFound(name)
    const sent: Fields = {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name, namespace },
      ...body,
    }
    const violations = schemaViolations(sent)
    if (violations.length > 0) return refusal(400, `strict decoding error: ${violations.join('; ')}`)
    const { replicas } = sent.spec as { replicas: number }
    const object = structuredClone(previous)
    object.spec = { ...object.spec, replicas }
    changed(object, previous)
    return [200, { ...sent, spec: { replicas } }]
  }

  function list(kind: string, selector: string): object {
    const wanted = selector.split(',').map((each) => each.split('='))
    const items = [...objects.values()].filter(
      (each) =>
        each.kind === kind && wanted.every(([key = '', value]) => each.metadata.labels?.[key] === value),
    )
    return { kind: `${kind}List`, apiVersion: 'v1', metadata: { resourceVersion: String(version) }, items }
  }

  function watch(name: string, since: string, response: ServerResponse) {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const current = objects.get(`Deployment/${name}`)
    const watcher = { name, response }
    watchers.add(watcher)
    response.once('close', () => watchers.delete(watcher))
    if (current && Number(current.metadata.resourceVersion) > Number(since))
      response.write(`${JSON.stringify({ type: 'MODIFIED', object: current })}\n`)
  }

  async function route(request: IncomingMessage, response: ServerResponse): Promise<[number, object] | null> {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://api')
    const [, of, resource = '', name, sub] =
      /^\/(?:api|apis\/apps)\/v1\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?(?:\/(scale))?$/.exec(pathname) ??
      []
    const kind = kindOf[resource]
    if (of !== namespace || kind === undefined) return refusal(403, `${pathname} is forbidden`)
    const verb = verbOf(request.method ?? '', name, query)
    used.add(`${verb} ${[resource, ...(sub ? [sub] : [])].join('/')}`)
    if (verb === 'patch' && !sub && !objects.has(`${kind}/${name}`)) used.add(`create ${resource}`)
    if (request.method === 'GET' && name === undefined) {
      if (query.get('watch') !== 'true') return [200, list(kind, query.get('labelSelector') ?? '')]
      const [, watched = ''] = (query.get('fieldSelector') ?? '').split('metadata.name=')
      watch(watched, query.get('resourceVersion') ?? '0', response)
      return null
    }
    if (name === undefined)
      return refusal(405, 'the server does not allow this method on the requested resource')
    const found = objects.get(`${kind}/${name}`)
    if (request.method === 'GET') return found ? [200, found] : notFound(name)
    writes.push(`${request.method} ${kind}/${name}${sub ? '/scale' : ''}`)
    if (request.method === 'DELETE') {
      if (!found) return notFound(name)
      store(found, 'DELETED')
      applied.delete(`${kind}/${name}`)
      return [200, { kind: 'Status', apiVersion: 'v1', status: 'Success' }]
    }
    const type = request.headers['content-type'] ?? ''
    const body = JSON.parse(await text(request)) as Fields
    if (request.method === 'PATCH' && sub && type === 'application/merge-patch+json') return scale(name, body)
    if (request.method === 'PATCH' && type === 'application/apply-patch+yaml')
      return apply(kind, name, body, query)
    return refusal(415, `${request.method} of ${type} is not played here`)
  }

  const server = createServer((request, response) => {
    void route(request, response)
      .catch((error: unknown) => refusal(500, String(error)))
      .then((answer) => {
        if (!answer) return
        response.writeHead(answer[0], { 'content-type': 'application/json' }).end(JSON.stringify(answer[1]))
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const api: KubernetesApi = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    writes,
    used,
    pods: 'READY',
    conflicts: 0,
    put: (object) => store(structuredClone(object) as StoredObject, 'ADDED'),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return api
}

function verbOf(method: string, name: string | undefined, query: URLSearchParams): string {
  if (method !== 'GET') return method.toLowerCase()
  if (name !== undefined) return 'get'
  return query.get('watch') === 'true' ? 'watch' : 'list'
}

const refusal = (code: number, message: string): [number, object] => [
  code,
  { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code },
]
const notFound = (name: string) => refusal(404, `"${name}" not found`)

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function merge(base: Fields, over: Fields): Fields {
  const merged = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key]
    merged[key] = isFields(value) && isFields(before) ? merge(before, value) : value
  }
  return merged
}

/** Without the fields that were applied before: those that are applied no more go. */
function without(object: Fields, fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(object).flatMap(([key, value]) => {
      const owned = fields[key]
      if (owned === undefined) return [[key, value]]
      return isFields(value) && isFields(owned) ? [[key, without(value, owned)]] : []
    }),
  )
}

const withoutVersion = ({ metadata, ...rest }: StoredObject) => ({
  ...rest,
  metadata: { ...metadata, resourceVersion: '' },
})
