import type { MessagePort } from 'node:worker_threads'
import type { Skill, SkillContext } from '../skills/skill.ts'
import { collectGarbage } from './collect.ts'
import { type Capability, capabilitiesOf, type Deployment, DeploymentRefused } from './deployment.ts'
import { runCapability } from './run.ts'
import { openSchemas, type Schemas } from './schemas.ts'
import { begun, given, type RunOutcome, type ThreadSettings, type ToPool, type ToReplica } from './thread.ts'

export type ReplicaOptions = {
  skills: ReadonlyMap<string, Skill>
  graphOf: (agentId: string, deployment: Deployment, signal: AbortSignal) => SkillContext['graph']
}

type Agent = { deployment: Deployment; capabilities: ReadonlyMap<string, Capability> }

/** Runs the skills of the agents that the pool tells of, as it asks through `port`. */
export function serveReplica(
  port: MessagePort,
  { claims, deadlineMs, maxOutputChars }: ThreadSettings,
  { skills, graphOf }: ReplicaOptions,
): void {
  const agents = new Map<string, Agent>()
  const schemas = openSchemas()
  const running = new Map<number, AbortController>()
  const tell = (message: ToPool) => port.postMessage(message)

  const forget = (agentId: string) => {
    for (const { input, output } of agents.get(agentId)?.capabilities.values() ?? []) {
      schemas.forget(input)
      schemas.forget(output)
    }
    agents.delete(agentId)
  }

  port.on('message', (message: ToReplica) => {
    switch (message.kind) {
      case 'deploy': {
        const { agentId, deployment } = message
        const accepted = accept(deployment, skills, schemas)
        if (!('refusal' in accepted)) {
          forget(agentId)
          agents.set(agentId, accepted)
        }
        const refusal = 'refusal' in accepted ? accepted.refusal : null
        return tell({ kind: 'deployed', agentId, deploymentId: deployment.deploymentId, refusal })
      }
      case 'undeploy':
        return forget(message.agentId)
      case 'cancel':
        return running.get(message.id)?.abort(new Error('the task was cancelled'))
      case 'run':
        return void begin(message)
      case 'collect':
        return void collectGarbage().then(() => tell({ kind: 'collected' }))
    }
  })
  tell({ kind: 'ready' })

  async function begin({ place, id, agentId, capability, input, deadlineAt }: ToReplica & { kind: 'run' }) {
    // Taken back in the meantime: somebody else does it.
    if (Atomics.compareExchange(claims, place, given, begun) !== given)
      return tell({ kind: 'ended', place, id, outcome: null })
    const giveUp = new AbortController()
    running.set(id, giveUp)
    const timer = setTimeout(
      () => giveUp.abort(new Error(`no result within ${deadlineMs} ms`)),
      deadlineAt - Date.now(),
    )
    try {
      tell({ kind: 'ended', place, id, outcome: await outcomeOf(agentId, capability, input, giveUp.signal) })
    } catch (error) {
      const broken = error instanceof Error ? (error.stack ?? error.message) : String(error)
      tell({ kind: 'broken', place, id, broken })
    } finally {
      clearTimeout(timer)
      running.delete(id)
    }
  }

  async function outcomeOf(
    agentId: string,
    name: string,
    input: unknown,
    signal: AbortSignal,
  ): Promise<RunOutcome> {
    const agent = agents.get(agentId)
    const capability = agent?.capabilities.get(name)
    if (!agent || !capability)
      return { state: 'FAILED', reason: `${agentId} has been taken away or replaced meanwhile` }
    const graph = graphOf(agentId, agent.deployment, signal)
    const context: SkillContext = { agentId, graph, now: () => new Date(), signal }
    const result = await runCapability(capability, input, context, schemas)
    if (result.state !== 'COMPLETED') return result
    const output = JSON.stringify(result.output)
    if (output.length <= maxOutputChars) return { state: 'COMPLETED', output }
    return { state: 'FAILED', reason: `the output is larger than ${maxOutputChars} characters` }
  }
}

function accept(
  deployment: Deployment,
  skills: ReadonlyMap<string, Skill>,
  schemas: Schemas,
): Agent | { refusal: string } {
  try {
    const capabilities = capabilitiesOf(deployment, skills)
    for (const { name, input, output } of capabilities.values())
      for (const [kind, schema] of Object.entries({ input, output })) {
        const refusal = schemas.refusal(schema)
        if (refusal !== null) throw new DeploymentRefused(`capability ${name}, ${kind} ${refusal}`)
      }
    return { deployment, capabilities }
  } catch (error) {
    if (error instanceof DeploymentRefused) return { refusal: error.message }
    throw error
  }
}
