import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { KubeConfig } from '@kubernetes/client-node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type KubernetesApi, startKubernetesApi } from '../../../../test/kubernetes-api.ts'
import { agentsManifests, allowedByRole } from '../../../../test/kubernetes-rights.ts'
import { schemaViolations } from '../../../../test/kubernetes-schema.ts'
import { openHosting } from '../hosting.ts'
import type { Placement } from '../local.ts'
import { type KubernetesRuntime, kubernetesRuntime } from './kubernetes.ts'
import { objectName } from './names.ts'
import { objectsOf, type PodSettings } from './objects.ts'

// A stand-in for the API server: no cluster runs here.
let api: KubernetesApi
let runtime: KubernetesRuntime

const pods: PodSettings = {
  image: 'registry.example/community:1',
  namespace: 'agents',
  keysSecret: 'community-keys',
  environment: { GATEWAY_URL: 'http://gateway:4000/graphql' },
  progressSeconds: 5,
}
const placement = (version: string, agentId = 'guild/Reporter'): Placement => ({
  agentId,
  pool: 'analytics',
  deploymentId: `${agentId}@${version}`,
  manifest: { metadata: { version } },
  organizationId: 'guild',
})
const name = objectName('guild/Reporter')

beforeEach(async () => {
  api = await startKubernetesApi('agents')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromClusterAndUser(
    { name: 'fake', server: api.url, skipTLSVerify: true },
    { name: 'nobody' },
  )
  runtime = kubernetesRuntime({ kubeConfig, pods, pools: ['analytics'], log: createLog('test', 'silent') })
})
afterEach(async () => {
  await api.close()
  const allowed = allowedByRole()
  expect([...api.used].filter((right) => !allowed.has(right))).toEqual([])
})

const versions = () => [...api.objects].map(([key, { metadata }]) => [key, metadata.resourceVersion])
const podOf = () => {
  const deployment = api.objects.get(`Deployment/${name}`) as unknown as { spec: { template: { spec: Pod } } }
  return deployment.spec.template.spec
}
type Pod = { volumes: { configMap?: { name: string } }[] }

test('an agent is a Deployment, a Service and a ConfigMap, and is deployed when its pod is available', async () => {
  await expect(runtime.deploy(placement('1.0.0'))).resolves.toEqual({
    endpoint: `http://${name}.agents.svc:4200/a2a/guild%2FReporter`,
  })
  const deployment = api.objects.get(`Deployment/${name}`)
  expect(deployment?.status).toMatchObject({ observedGeneration: 1, availableReplicas: 1 })
  const config = podOf().volumes[0]?.configMap?.name ?? ''
  expect([...api.objects.keys()]).toEqual([`ConfigMap/${config}`, `Service/${name}`, `Deployment/${name}`])
  const { data } = api.objects.get(`ConfigMap/${config}`) as unknown as { data: Record<string, string> }
  expect(JSON.parse(data['deployments.json'] ?? '')).toEqual([
    {
      agentId: 'guild/Reporter',
      deploymentId: 'guild/Reporter@1.0.0',
      manifest: { metadata: { version: '1.0.0' } },
      organizationId: 'guild',
    },
  ])
  expect(await runtime.hosted('analytics')).toEqual([
    {
      agentId: 'guild/Reporter',
      deploymentId: 'guild/Reporter@1.0.0',
      pool: 'analytics',
      startedAt: expect.any(Date),
    },
  ])
  expect(await runtime.hosted('foundation')).toEqual([])
})

test('the same deployment again changes nothing', async () => {
  await runtime.deploy(placement('1.0.0'))
  const before = versions()
  await runtime.deploy(placement('1.0.0'))
  expect(versions()).toEqual(before)
})

test('a new version is rolled out, and the configuration of the one before goes', async () => {
  await runtime.deploy(placement('1.0.0'))
  const before = podOf().volumes[0]?.configMap?.name
  await runtime.deploy(placement('2.0.0'))
  const after = podOf().volumes[0]?.configMap?.name
  expect(after).not.toBe(before)
  expect([...api.objects.keys()].filter((key) => key.startsWith('ConfigMap'))).toEqual([`ConfigMap/${after}`])
  expect(api.objects.get(`Deployment/${name}`)?.metadata.generation).toBe(2)
})

test('a rollout that fails is told with its reason, and the pods before go on', async () => {
  await runtime.deploy(placement('1.0.0'))
  const before = podOf().volumes[0]?.configMap?.name
  api.pods = 'CRASHING'
  await expect(runtime.deploy(placement('2.0.0'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: `the rollout of ${name} failed: ReplicaSet "${name}" has timed out progressing.`,
  })
  expect(api.objects.get(`Deployment/${name}`)?.status?.availableReplicas).toBe(1)
  expect(api.objects.has(`ConfigMap/${before}`)).toBe(true)
  // The version before again is how it is undone.
  api.pods = 'READY'
  await runtime.deploy(placement('1.0.0'))
  expect(podOf().volumes[0]?.configMap?.name).toBe(before)
})

test('what runs and does not answer is hosted, and said to be silent', async () => {
  api.pods = 'CRASHING'
  await expect(runtime.deploy(placement('1.0.0'))).rejects.toThrow('has timed out progressing')
  const [silent] = await runtime.hosted('analytics')
  expect(silent).toMatchObject({ agentId: 'guild/Reporter', answers: false })
  // Until its rollout has ended it is nothing that was left behind.
  expect(silent?.startedAt.getTime()).toBeGreaterThan(Date.now())
})

test.each(['Deployment', 'Service'])('a %s of somebody else is refused, and left as it is', async (kind) => {
  const foreign = { apiVersion: 'v1', kind, metadata: { name, namespace: 'agents', generation: 1 }, spec: {} }
  api.put(foreign)
  const refused = {
    code: 'REFUSED',
    message: `there is a ${kind} ${name} that is not of guild/Reporter: it is left alone`,
  }
  await expect(runtime.deploy(placement('1.0.0'))).rejects.toMatchObject(refused)
  await expect(runtime.undeploy({ agentId: 'guild/Reporter', pool: 'analytics' })).rejects.toMatchObject(
    refused,
  )
  expect(api.objects.get(`${kind}/${name}`)).toMatchObject(foreign)
})

test('scaled by the scale subresource; a new version keeps the number', async () => {
  await runtime.deploy(placement('1.0.0'))
  await runtime.scale('guild/Reporter', 3)
  expect(api.writes.at(-1)).toBe(`PATCH Deployment/${name}/scale`)
  await runtime.deploy(placement('2.0.0'))
  expect(api.objects.get(`Deployment/${name}`)).toMatchObject({
    spec: { replicas: 3 },
    status: { availableReplicas: 3 },
  })
  await expect(runtime.scale('nobody', 2)).rejects.toMatchObject({ code: 'REFUSED' })
})

test('undeployed, nothing is left; twice is as once', async () => {
  await runtime.deploy(placement('1.0.0'))
  await runtime.undeploy({ agentId: 'guild/Reporter', pool: 'analytics' })
  await runtime.undeploy({ agentId: 'guild/Reporter', pool: 'analytics' })
  expect([...api.objects.keys()]).toEqual([])
})

test('what is missing is deployed again, what is there is reported', async () => {
  await runtime.deploy(placement('1.0.0'))
  const second = placement('1.0.0', 'other')
  const seen = Promise.withResolvers<string[]>()
  const tending = runtime.reconcile({
    intervalMs: 5,
    async onHeartbeat(report) {
      if (report.up && report.hosted.length === 2) seen.resolve(report.hosted.map((each) => each.agentId))
    },
    missing: async (_, hosted) => (hosted.some(({ agentId }) => agentId === 'other') ? [] : [second]),
  })
  expect(await seen.promise).toEqual(['guild/Reporter', 'other'])
  await tending.stop()
})

test('a cluster that does not answer is UNAVAILABLE, in words without headers', async () => {
  await api.close()
  await expect(runtime.deploy(placement('1.0.0'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/^the cluster did not take guild\/Reporter: /),
  })
})

test('names are labels of DNS, and differ where ids do', () => {
  const ids = ['a', 'A', 'a/b', 'a-b', '9', '--', 'é', 'x'.repeat(200), `${'x'.repeat(200)}y`]
  const names = ids.map(objectName)
  expect(new Set(names).size).toBe(ids.length)
  for (const each of names) expect(each).toMatch(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)
})

test('what is sent fits the published schema, which knows what does not', () => {
  const { deployment, service, config } = objectsOf(placement('1.0.0'), pods)
  expect([deployment, service, config].flatMap(schemaViolations)).toEqual([])
  const wrong = structuredClone<unknown>(deployment) as {
    spec: { template: { spec: { containers: Record<string, unknown>[] } } }
  }
  Object.assign(wrong.spec.template.spec.containers[0] ?? {}, { readynessProbe: {}, image: 7 })
  expect(schemaViolations(wrong)).toEqual([
    'unknown field /spec/template/spec/containers/0/readynessProbe',
    expect.stringContaining('image'),
  ])
})

test('the objects that an operator makes fit the schema as well', () => {
  expect(agentsManifests().flatMap(schemaViolations)).toEqual([])
})

test('opened by settings and a kubeconfig; where an agent will speak is known before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'))
  const file = join(folder, 'config')
  const kubeconfig = new KubeConfig()
  kubeconfig.loadFromClusterAndUser(
    { name: 'fake', server: api.url, skipTLSVerify: true },
    { name: 'nobody' },
  )
  await writeFile(file, kubeconfig.exportConfig())
  const env = { AGENT_RUNTIME: 'kubernetes', KUBERNETES_NAMESPACE: 'agents', KUBERNETES_IMAGE: 'community:1' }
  const log = createLog('test', 'silent')
  const keys = await openKeys(folder, 'internal')
  const hosting = await openHosting({ config: readConfig({ ...env, KUBECONFIG: file }), keys, log })
  const { endpoint } = await hosting.deploy(placement('1.0.0'))
  expect(hosting.endpointOf('analytics', 'guild/Reporter')).toBe(endpoint)
  await rm(folder, { recursive: true })
  await expect(openHosting({ config: readConfig(env), keys, log })).rejects.toThrow('KUBECONFIG: expected')
})

test('what changed in between is read again', async () => {
  await runtime.deploy(placement('1.0.0'))
  api.conflicts = 1
  await runtime.deploy(placement('2.0.0'))
  api.conflicts = 3
  await expect(runtime.deploy(placement('3.0.0'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})
