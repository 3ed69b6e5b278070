import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@community/infra/log.ts'
import type { KubeConfig, V1Deployment, V1ObjectMeta } from '@kubernetes/client-node'
import { type HostedAgent, type Placement, type Runtime, RuntimeError } from '../local.ts'
import { type Cluster, messageOf, openCluster, statusOf } from './cluster.ts'
import { objectName } from './names.ts'
import { annotations, endpointOf, labels, managedBy, objectsOf, type PodSettings } from './objects.ts'
import { progressOf } from './progress.ts'

export type KubernetesRuntimeOptions = {
  kubeConfig: KubeConfig
  pods: PodSettings
  /** Those that agents are placed in: a label here, as a pool has no process of its own. */
  pools: readonly string[]
  log: Log
}

export type KubernetesRuntime = Omit<Runtime, 'state' | 'scale'> & {
  /** Wishes for so many pods of an agent; 0 keeps its objects and ends them all. */
  scale(agentId: string, replicas: number): Promise<void>
}

const mostConfigBytes = 900_000
const tries = 3
const lookAgainMs = 30_000

/** Each agent is a Deployment, a Service and a ConfigMap of one namespace. */
export function kubernetesRuntime({
  kubeConfig,
  pods,
  pools,
  log,
}: KubernetesRuntimeOptions): KubernetesRuntime {
  const cluster = openCluster(kubeConfig, pods.namespace)

  const deploy: Runtime['deploy'] = async (placement) => {
    const { agentId } = placement
    const { config, service, deployment } = objectsOf(placement, pods)
    if (Buffer.byteLength(JSON.stringify(config)) > mostConfigBytes)
      throw new RuntimeError('REFUSED', `${agentId}: its manifest is larger than a ConfigMap may be`)
    return await told(agentId, async () => {
      // In this order: a pod that starts finds its configuration.
      await applyOwn(cluster, 'ConfigMap', config, agentId)
      await applyOwn(cluster, 'Service', service, agentId)
      const applied = await applyOwn(cluster, 'Deployment', deployment, agentId)
      await rolledOut(cluster, applied, pods.progressSeconds)
      await removeConfigs(cluster, agentId, config.metadata?.name)
      return { endpoint: endpointOf(agentId, pods.namespace) }
    })
  }

  const undeploy = async ({ agentId }: { agentId: string }): Promise<void> =>
    await told(agentId, async () => {
      const name = objectName(agentId)
      for (const kind of ['Service', 'Deployment'] as const) {
        const found = await cluster.read(kind, name)
        if (found?.metadata) requireOwn(kind, found.metadata, agentId)
        if (found) await cluster.remove(kind, name)
      }
      await removeConfigs(cluster, agentId, undefined)
    })

  const hostedIn = async (): Promise<(HostedAgent & { pool: string })[]> =>
    await told('agents', async () =>
      (await cluster.list('Deployment', ours)).flatMap((each) => hostedOf(each, pods.progressSeconds)),
    )

  const hosted = async (pool: string) => (await hostedIn()).filter((agent) => agent.pool === pool)

  return {
    deploy,
    undeploy,
    hosted,
    async scale(agentId, replicas) {
      const found = await told(agentId, () => cluster.read('Deployment', objectName(agentId)))
      if (!found?.metadata) throw new RuntimeError('REFUSED', `${agentId} is not deployed`)
      requireOwn('Deployment', found.metadata, agentId)
      await told(agentId, () => cluster.scale(objectName(agentId), replicas))
    },
    async memory({ agentId }) {
      throw new RuntimeError(
        'REFUSED',
        `${agentId} runs in Kubernetes, which is not asked what its pods take`,
      )
    },
    reconcile({ onHeartbeat, missing, intervalMs = 2_000 }) {
      const stopping = new AbortController()
      const tend = async () => {
        const at = new Date()
        const all = await hostedIn().catch((error: unknown) => String(error))
        for (const pool of pools) {
          if (typeof all === 'string') {
            await onHeartbeat({ pool, up: false, at, reason: all })
            continue
          }
          const here = all.filter((agent) => agent.pool === pool)
          await onHeartbeat({ pool, up: true, at, hosted: here })
          // All at once: each waits for its own pods.
          await Promise.all((await missing(pool, here)).map(deployAgain))
        }
      }
      const deployAgain = async (placement: Placement) => {
        const { pool, agentId } = placement
        await deploy(placement).then(
          () => log.info({ pool, agentId }, 'deployed again'),
          (error: unknown) => log.warn({ err: error, pool, agentId }, 'could not be deployed again'),
        )
      }
      const looking = (async () => {
        while (!stopping.signal.aborted) {
          await tend().catch((error: unknown) => log.warn({ err: error }, 'the cluster could not be tended'))
          await sleep(intervalMs, undefined, { signal: stopping.signal }).catch(() => undefined)
        }
      })()
      return {
        async stop() {
          stopping.abort()
          await looking
        },
      }
    },
  }
}

const ours = `${labels.managedBy}=${managedBy}`

/** What is there under this name is an agent's of ours; a change in between is looked at again. */
async function applyOwn<K extends 'ConfigMap' | 'Service' | 'Deployment'>(
  cluster: Cluster,
  kind: K,
  wanted: Parameters<typeof cluster.apply<K>>[1],
  agentId: string,
): Promise<Parameters<typeof cluster.apply<K>>[1]> {
  const name = wanted.metadata?.name ?? ''
  for (let left = tries; ; left--) {
    const found = await cluster.read(kind, name)
    if (found?.metadata) requireOwn(kind, found.metadata, agentId)
    const resourceVersion = found?.metadata?.resourceVersion
    const body = structuredClone(wanted)
    if (body.metadata && resourceVersion !== undefined) body.metadata.resourceVersion = resourceVersion
    try {
      return await cluster.apply(kind, body, found !== null)
    } catch (error) {
      if (statusOf(error) !== 409 || left === 1) throw error
    }
  }
}

function requireOwn(
  kind: string,
  { name, labels: found, annotations: notes }: V1ObjectMeta,
  agentId: string,
): void {
  if (found?.[labels.managedBy] === managedBy && notes?.[annotations.agentId] === agentId) return
  throw new RuntimeError('REFUSED', `there is a ${kind} ${name} that is not of ${agentId}: it is left alone`)
}

/** Watches until its pods serve. Throws RuntimeError where they do not come up in time. */
async function rolledOut(cluster: Cluster, applied: V1Deployment, progressSeconds: number): Promise<void> {
  const name = applied.metadata?.name ?? ''
  // The controller itself gives up after `progressSeconds`; this is for one that does not run.
  const until = Date.now() + (progressSeconds + 10) * 1000
  for (let current: V1Deployment | null = applied; ; current = await cluster.read('Deployment', name)) {
    if (!current) throw new RuntimeError('UNAVAILABLE', `the Deployment ${name} was deleted meanwhile`)
    const progress = progressOf(current)
    if (progress.state === 'DONE') return
    if (progress.state === 'FAILED')
      throw new RuntimeError('UNAVAILABLE', `the rollout of ${name} failed: ${progress.reason}`)
    const leftMs = until - Date.now()
    if (leftMs <= 0)
      throw new RuntimeError('UNAVAILABLE', `the rollout of ${name} has not ended in ${progressSeconds} s`)
    await cluster.changed(name, current.metadata?.resourceVersion, Math.min(leftMs, lookAgainMs))
  }
}

/** Those of versions before; pods that still start read what they mount, so only after a rollout. */
async function removeConfigs(cluster: Cluster, agentId: string, kept: string | undefined): Promise<void> {
  for (const { metadata } of await cluster.list('ConfigMap', `${ours},${labels.name}=${objectName(agentId)}`))
    if (metadata?.name && metadata.name !== kept) await cluster.remove('ConfigMap', metadata.name)
}

/** One that does not serve yet has until the end of its rollout: it counts as begun then. */
function hostedOf(
  { metadata, status }: V1Deployment,
  progressSeconds: number,
): (HostedAgent & { pool: string })[] {
  const { [annotations.agentId]: agentId, [annotations.deploymentId]: deploymentId } =
    metadata?.annotations ?? {}
  const pool = metadata?.labels?.[labels.pool]
  const createdAt = metadata?.creationTimestamp
  if (!agentId || !deploymentId || !pool || !createdAt) return []
  if (!status?.availableReplicas) {
    const startedAt = new Date(createdAt.getTime() + progressSeconds * 1000)
    return [{ agentId, deploymentId, pool, startedAt, answers: false }]
  }
  const available = status.conditions?.find(({ type }) => type === 'Available')
  return [{ agentId, deploymentId, pool, startedAt: available?.lastTransitionTime ?? createdAt }]
}

/** What the API server or the way to it did wrong, as a RuntimeError. */
async function told<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof RuntimeError) throw error
    const status = statusOf(error)
    const code = status === 400 || status === 422 ? 'REFUSED' : 'UNAVAILABLE'
    throw new RuntimeError(code, `the cluster did not take ${what}: ${messageOf(error)}`, { cause: error })
  }
}
