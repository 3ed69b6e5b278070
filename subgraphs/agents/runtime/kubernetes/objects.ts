import type { V1ConfigMap, V1Container, V1Deployment, V1Service } from '@kubernetes/client-node'
import type { Placement } from '../local.ts'
import { digestOf, objectName } from './names.ts'

export const managedBy = 'community-agents'
export const labels = {
  managedBy: 'app.kubernetes.io/managed-by',
  name: 'app.kubernetes.io/name',
  pool: 'community/pool',
}
export const annotations = { agentId: 'community/agent-id', deploymentId: 'community/deployment-id' }

/** Of every agent's pod. */
export type PodSettings = {
  image: string
  namespace: string
  /** Secret whose entries are the files of KEYS_DIR. */
  keysSecret: string
  /** What the pool's process reads of its environment. */
  environment: Readonly<Record<string, string>>
  /** Within which a new version has to serve. */
  progressSeconds: number
}

export type AgentObjects = { config: V1ConfigMap; service: V1Service; deployment: V1Deployment }

const port = 4200
const drainSeconds = 30

/** All that an agent is in a cluster. */
export function objectsOf(placement: Placement, settings: PodSettings): AgentObjects {
  const { agentId, pool, deploymentId, manifest, organizationId } = placement
  const name = objectName(agentId)
  const hosted = JSON.stringify([{ agentId, deploymentId, manifest, organizationId }])
  // Its content is in its name: pods of the version before keep theirs, and going back is another name.
  const configName = `${name}-${digestOf(hosted)}`
  const marked = (of: string) => ({
    name: of,
    namespace: settings.namespace,
    labels: { [labels.managedBy]: managedBy, [labels.name]: name, [labels.pool]: pool },
    annotations: { [annotations.agentId]: agentId, [annotations.deploymentId]: deploymentId },
  })
  const deployment = marked(name)
  return {
    config: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: marked(configName),
      immutable: true,
      data: { 'deployments.json': hosted },
    },
    service: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: marked(name),
      spec: {
        type: 'ClusterIP',
        selector: { [labels.name]: name },
        ports: [{ name: 'a2a', port, targetPort: 'a2a', protocol: 'TCP' }],
      },
    },
    deployment: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: deployment,
      // No number of replicas: it starts as one, and what scaled it since keeps its say.
      spec: {
        selector: { matchLabels: { [labels.name]: name } },
        progressDeadlineSeconds: settings.progressSeconds,
        revisionHistoryLimit: 2,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: {
          metadata: { labels: deployment.labels, annotations: deployment.annotations },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            terminationGracePeriodSeconds: drainSeconds,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1000,
              runAsGroup: 1000,
              fsGroup: 1000,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [container(pool, agentId, settings)],
            volumes: [
              { name: 'deployments', configMap: { name: configName } },
              { name: 'keys', secret: { secretName: settings.keysSecret, defaultMode: 0o440 } },
              { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
            ],
          },
        },
      },
    },
  }
}

/** Where the agent speaks A2A inside the cluster. */
export const endpointOf = (agentId: string, namespace: string): string =>
  `${baseOf(agentId, namespace)}/a2a/${encodeURIComponent(agentId)}`

const baseOf = (agentId: string, namespace: string) =>
  `http://${objectName(agentId)}.${namespace}.svc:${port}`

function container(pool: string, agentId: string, settings: PodSettings): V1Container {
  const at = (path: string) => ({ httpGet: { path, port: 'a2a' }, timeoutSeconds: 3 })
  return {
    name: 'agent',
    image: settings.image,
    command: ['node', 'subgraphs/agents/runtime/pool.ts'],
    args: [
      `--name=${pool}`,
      `--port=${port}`,
      '--deployments=/deployments/deployments.json',
      `--public-url=${baseOf(agentId, settings.namespace)}`,
    ],
    env: Object.entries({
      ...settings.environment,
      HOST: '0.0.0.0',
      KEYS_DIR: '/keys',
      DATA_DIR: '/tmp/data',
    }).map(([name, value]) => ({ name, value })),
    ports: [{ name: 'a2a', containerPort: port, protocol: 'TCP' }],
    startupProbe: { ...at('/health/ready'), periodSeconds: 1, failureThreshold: 60 },
    readinessProbe: { ...at('/health/ready'), periodSeconds: 5, failureThreshold: 2 },
    livenessProbe: { ...at('/health/live'), periodSeconds: 10, failureThreshold: 3 },
    // Endpoints learn of a pod's end a moment after it: until then it takes calls, after that it ends those under way.
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    resources: { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '512Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'deployments', mountPath: '/deployments', readOnly: true },
      { name: 'keys', mountPath: '/keys', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  }
}
