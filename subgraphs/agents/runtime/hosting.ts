import { type Config, poolNames } from '@community/infra/config.ts'
import { endpointOf } from './kubernetes/objects.ts'
import { type LocalRuntimeOptions, localRuntime, type Runtime } from './local.ts'

/** Where agents of pools run, whatever it is. */
export type Hosting = Omit<Runtime, 'state' | 'scale'> & {
  /** Where an agent speaks A2A once it is deployed; null where the pool is no part of this installation. */
  endpointOf(pool: string, agentId: string): string | null
}

type HostingOptions = { config: Config } & Pick<LocalRuntimeOptions, 'keys' | 'log'>

/** As AGENT_RUNTIME says. Throws where a cluster is meant and none is known. */
export async function openHosting({ config, keys, log }: HostingOptions): Promise<Hosting> {
  const { agentRuntime: runtime, agentPools } = config
  if (runtime.kind === 'local')
    return {
      ...localRuntime({ pools: agentPools, keys, log }),
      endpointOf(pool, agentId) {
        const url = agentPools[pool]
        return url === undefined ? null : `${url}/a2a/${encodeURIComponent(agentId)}`
      },
    }
  // The client of Kubernetes is large: who has no cluster does not load it.
  const { connectCluster } = await import('./kubernetes/connect.ts')
  const { kubernetesRuntime } = await import('./kubernetes/kubernetes.ts')
  const { namespace, image, keysSecret, rolloutSeconds: progressSeconds, kubeconfig } = runtime
  return {
    ...kubernetesRuntime({
      kubeConfig: connectCluster(kubeconfig),
      pods: { namespace, image, keysSecret, progressSeconds, environment: podEnvironment(config) },
      pools: poolNames,
      log,
    }),
    endpointOf: (_pool, agentId) => endpointOf(agentId, namespace),
  }
}

/** Settings of this process that hold for a pod of one agent as well. */
const podEnvironment = ({ gatewayUrl, logLevel, jwksUrl, jwtIssuer, jwtAudience }: Config) => ({
  GATEWAY_URL: gatewayUrl,
  LOG_LEVEL: logLevel,
  JWT_ISSUER: jwtIssuer,
  JWT_AUDIENCE: jwtAudience,
  ...(jwksUrl === undefined ? {} : { JWKS_URL: jwksUrl }),
  POOL_REPLICAS_MAX: '1',
})
