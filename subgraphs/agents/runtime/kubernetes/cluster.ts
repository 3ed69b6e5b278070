import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  type KubeConfig,
  Observable,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  type V1Deployment,
  type V1Service,
  Watch,
} from '@kubernetes/client-node'

/** As managedFields name what this system has set. */
const fieldManager = 'community-agents'
const deadlineMs = 10_000

type Objects = { ConfigMap: V1ConfigMap; Service: V1Service; Deployment: V1Deployment }
type Kind = keyof Objects

export type Cluster = ReturnType<typeof openCluster>

/** One namespace of a cluster. Every call has a deadline; what is not there is null. */
export function openCluster(kubeConfig: KubeConfig, namespace: string) {
  const core = kubeConfig.makeApiClient(CoreV1Api)
  const apps = kubeConfig.makeApiClient(AppsV1Api)
  const watcher = new Watch(kubeConfig)

  const calls = {
    ConfigMap: {
      read: (name: string) => core.readNamespacedConfigMap({ name, namespace }, within()),
      patch: (patch: Patch) => core.patchNamespacedConfigMap(patch, applying()),
      remove: (name: string) => core.deleteNamespacedConfigMap({ name, namespace }, within()),
      list: (labelSelector: string) => core.listNamespacedConfigMap({ namespace, labelSelector }, within()),
    },
    Service: {
      read: (name: string) => core.readNamespacedService({ name, namespace }, within()),
      patch: (patch: Patch) => core.patchNamespacedService(patch, applying()),
      remove: (name: string) => core.deleteNamespacedService({ name, namespace }, within()),
      list: (labelSelector: string) => core.listNamespacedService({ namespace, labelSelector }, within()),
    },
    Deployment: {
      read: (name: string) => apps.readNamespacedDeployment({ name, namespace }, within()),
      patch: (patch: Patch) => apps.patchNamespacedDeployment(patch, applying()),
      remove: (name: string) =>
        apps.deleteNamespacedDeployment({ name, namespace, propagationPolicy: 'Background' }, within()),
      list: (labelSelector: string) => apps.listNamespacedDeployment({ namespace, labelSelector }, within()),
    },
  } satisfies Record<Kind, unknown>
  const of = <K extends Kind>(kind: K) => calls[kind] as unknown as Calls<Objects[K]>

  return {
    read: async <K extends Kind>(kind: K, name: string): Promise<Objects[K] | null> =>
      await orNull(of(kind).read(name)),
    /**
     * Server-side apply: changes nothing where all is so already. Takes fields over from other managers where `force`;
     * a `resourceVersion` in it that is no longer the newest is a conflict.
     */
    apply: async <K extends Kind>(kind: K, body: Objects[K], force: boolean): Promise<Objects[K]> =>
      await of(kind).patch({
        name: body.metadata?.name ?? '',
        namespace,
        body,
        fieldManager,
        force,
        fieldValidation: 'Strict',
      }),
    list: async <K extends Kind>(kind: K, labelSelector: string): Promise<Objects[K][]> =>
      (await of(kind).list(labelSelector)).items,
    remove: async (kind: Kind, name: string): Promise<void> => void (await orNull(of(kind).remove(name))),
    /** Through the scale subresource. Null where there is no such Deployment. */
    scale: async (name: string, replicas: number): Promise<unknown> =>
      await orNull(
        apps.patchNamespacedDeploymentScale(
          { name, namespace, body: { spec: { replicas } }, fieldManager, fieldValidation: 'Strict' },
          within(setHeaderOptions('Content-Type', PatchStrategy.MergePatch)),
        ),
      ),
    /** Resolves at the next change of the Deployment after `resourceVersion`, or when `ms` have passed or the watch ends. */
    async changed(name: string, resourceVersion: string | undefined, ms: number): Promise<void> {
      const ended = Promise.withResolvers<void>()
      const timer = setTimeout(ended.resolve, ms)
      const watching = await watcher.watch(
        `/apis/apps/v1/namespaces/${namespace}/deployments`,
        { fieldSelector: `metadata.name=${name}`, resourceVersion, timeoutSeconds: Math.ceil(ms / 1000) },
        () => ended.resolve(),
        // It says why, and whoever waits looks again all the same; what is wrong with the cluster the next read tells.
        () => ended.resolve(),
      )
      await ended.promise
      clearTimeout(timer)
      watching.abort()
    },
  }
}

type Patch = {
  name: string
  namespace: string
  body: unknown
  fieldManager: string
  force: boolean
  fieldValidation: string
}
type Calls<T> = {
  read(name: string): Promise<T>
  patch(patch: Patch): Promise<T>
  remove(name: string): Promise<unknown>
  list(labelSelector: string): Promise<{ items: T[] }>
}

type Options = ReturnType<typeof setHeaderOptions>
type Middleware = NonNullable<Options['middleware']>[number]

const within = (options: Options = {}): Options => ({
  ...options,
  middleware: [
    ...(options.middleware ?? []),
    {
      pre(request) {
        request.setSignal(AbortSignal.timeout(deadlineMs))
        return new Observable(Promise.resolve(request))
      },
      post: (response) => new Observable(Promise.resolve(response)),
    } satisfies Middleware,
  ],
  middlewareMergeStrategy: 'append',
})

const applying = () => within(setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply))

async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (statusOf(error) === 404) return null
    throw error
  }
}

/** Of an answer of the API server; undefined where there was none. */
export const statusOf = (error: unknown): number | undefined =>
  error instanceof ApiException ? error.code : undefined

/** What the API server says, without headers. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ApiException)) return error instanceof Error ? error.message : String(error)
  const body: unknown = error.body
  const told = typeof body === 'string' ? messageIn(body) : undefined
  return told ?? `HTTP ${error.code}`
}

function messageIn(body: string): string | undefined {
  try {
    const status: unknown = JSON.parse(body)
    return typeof status === 'object' && status && 'message' in status && typeof status.message === 'string'
      ? status.message
      : undefined
  } catch {
    return undefined
  }
}
