import type { OutgoingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { type Deployment, DeploymentRefused, readDeployment } from './deployment.ts'
import type { Hosted } from './hosted.ts'
import type { Memory } from './memory.ts'
import type { MemoryReading } from './memory-reading.ts'
import type { PoolState } from './pool-state.ts'
import { askedOf } from './read-memory.ts'
import type { Replicas } from './replicas.ts'

export type Reply = { status: number; body?: unknown; headers?: OutgoingHttpHeaders }

export type ControlOptions = {
  agents: Map<string, Hosted>
  replicas: Replicas
  memory: Memory
  host: (agentId: string, deployment: Deployment) => Hosted
}

/**
 * What a pool's owner may ask: which agents are here, put one, take one away; how many replicas run them; what memory an agent
 * takes.
 */
export const control = (options: ControlOptions) => {
  const { agents, replicas } = options
  return async (room: string, method: string, agentId: string | undefined, text: string): Promise<Reply> => {
    if (room === 'replicas' && agentId === undefined) return replicasReply(replicas, method, text)
    if (room === 'memory' && agentId !== undefined) return await memoryReply(options, method, agentId)
    if (room !== 'deployments') return { status: 404, body: { error: 'there is nothing here' } }
    if (agentId === undefined)
      return method === 'GET'
        ? { status: 200, body: rowsOf(agents) }
        : { status: 405, headers: { allow: 'GET' } }
    if (method === 'DELETE') {
      agents.delete(agentId)
      replicas.undeploy(agentId)
      return { status: 204 }
    }
    if (method !== 'PUT') return { status: 405, headers: { allow: 'PUT, DELETE' } }
    try {
      return await deploy(options, agentId, readDeployment(JSON.parse(text)))
    } catch (error) {
      if (error instanceof DeploymentRefused) return { status: 422, body: { error: error.message } }
      if (error instanceof SyntaxError) return { status: 400, body: { error: 'expected JSON' } }
      throw error
    }
  }
}

async function deploy(
  { agents, replicas, host }: ControlOptions,
  agentId: string,
  deployment: Deployment,
): Promise<Reply> {
  if (agents.get(agentId)?.deployment.deploymentId === deployment.deploymentId)
    return { status: 200, body: {} }
  const refusal = await replicas.deploy(agentId, deployment)
  if (refusal === undefined) return { status: 503, body: { error: 'no replica answers' } }
  if (refusal !== null) return { status: 422, body: { error: refusal } }
  agents.set(agentId, host(agentId, deployment))
  return { status: 201, body: {} }
}

async function memoryReply(
  { agents, memory }: ControlOptions,
  method: string,
  agentId: string,
): Promise<Reply> {
  if (method !== 'POST') return { status: 405, headers: { allow: 'POST' } }
  const hosted = agents.get(agentId)
  if (!hosted) return { status: 404, body: { error: `${agentId} is not here` } }
  if (askedOf(hosted.deployment).length === 0)
    return { status: 422, body: { error: `no capability of ${agentId} has an example` } }
  const reading = await memory.measure(agentId, hosted.deployment)
  if (typeof reading === 'string') return { status: 503, body: { error: reading } }
  return { status: 200, body: reading satisfies MemoryReading }
}

function replicasReply(replicas: Replicas, method: string, text: string): Reply {
  if (method === 'GET') return { status: 200, body: replicas.state() satisfies PoolState }
  if (method !== 'PUT') return { status: 405, headers: { allow: 'GET, PUT' } }
  const { most } = replicas.state()
  const wished = z.strictObject({ count: z.int().min(1).max(most) }).safeParse(jsonOf(text))
  if (!wished.success)
    return { status: 400, body: { error: `expected { count }, a whole number from 1 to ${most}` } }
  replicas.scale(wished.data.count)
  return { status: 200, body: replicas.state() satisfies PoolState }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const rowsOf = (agents: ReadonlyMap<string, Hosted>) =>
  [...agents].map(([agentId, { deployment, startedAt, calls, errors }]) => ({
    agentId,
    deploymentId: deployment.deploymentId,
    startedAt,
    calls,
    errors,
  }))
