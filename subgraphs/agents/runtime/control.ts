import type { OutgoingHttpHeaders } from 'node:http'
import type { Skill } from '../skills/skill.ts'
import { type Deployment, DeploymentRefused, readDeployment } from './deployment.ts'
import type { Hosted } from './hosted.ts'
import type { Schemas } from './schemas.ts'

export type Reply = { status: number; body?: unknown; headers?: OutgoingHttpHeaders }

export type ControlOptions = {
  agents: Map<string, Hosted>
  skills: ReadonlyMap<string, Skill>
  schemas: Schemas
  host: (agentId: string, deployment: Deployment) => Hosted
}

/** What a pool's owner may ask: which agents are here, put one, take one away. */
export const control =
  ({ agents, skills, schemas, host }: ControlOptions) =>
  (method: string, agentId: string | undefined, text: string): Reply => {
    if (agentId === undefined)
      return method === 'GET'
        ? { status: 200, body: rowsOf(agents) }
        : { status: 405, headers: { allow: 'GET' } }
    if (method === 'DELETE') {
      agents.get(agentId)?.close()
      agents.delete(agentId)
      return { status: 204 }
    }
    if (method !== 'PUT') return { status: 405, headers: { allow: 'PUT, DELETE' } }
    try {
      const deployment = readDeployment(JSON.parse(text), skills)
      refuseBadSchemas(deployment, schemas)
      const previous = agents.get(agentId)
      if (previous?.deployment.deploymentId === deployment.deploymentId) return { status: 200, body: {} }
      agents.set(agentId, host(agentId, deployment))
      previous?.close()
      return { status: 201, body: {} }
    } catch (error) {
      if (error instanceof DeploymentRefused) return { status: 422, body: { error: error.message } }
      if (error instanceof SyntaxError) return { status: 400, body: { error: 'expected JSON' } }
      throw error
    }
  }

function refuseBadSchemas({ capabilities }: Deployment, schemas: Schemas): void {
  for (const { name, input, output } of capabilities.values())
    for (const [kind, schema] of Object.entries({ input, output })) {
      const refusal = schemas.refusal(schema)
      if (refusal !== null) throw new DeploymentRefused(`capability ${name}, ${kind} ${refusal}`)
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
