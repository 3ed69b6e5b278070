import { A2A_VERSION_HEADER, AgentCard, Task } from '@a2a-js/sdk'
import {
  DefaultRequestHandler,
  JsonRpcTransportHandler,
  ServerCallContext,
  type TaskStore,
  validateVersion,
} from '@a2a-js/sdk/server'
import type { Log } from '@community/infra/log.ts'
import type { Visibility } from '../../kit/invoke.ts'
import { cardOf } from './card.ts'
import type { Deployment } from './deployment.ts'
import { openExecutor } from './executor.ts'
import { openRepeated } from './repeated.ts'
import type { Replicas } from './replicas.ts'

const keptMessages = 200

export type HostedOptions = {
  agentId: string
  deployment: Deployment
  url: string
  replicas: Replicas
  tasks: TaskStore
  log: Log
}

export type Hosted = {
  deployment: Deployment
  visibility: Visibility
  startedAt: Date
  calls: number
  errors: number
  /** As JSON. */
  card: unknown
  /** Answers one JSON-RPC request of a caller who has proved to be `subject`. */
  answer(request: Record<string, unknown>, subject: string, version: string | undefined): Promise<object>
}

/** An agent that runs here. */
export function hostAgent(options: HostedOptions): Hosted {
  const { agentId, deployment, url, replicas, tasks, log } = options
  const card = cardOf(deployment, url)
  const executor = openExecutor({
    agentId,
    capabilities: deployment.manifest.spec.capabilities.map(({ name }) => name),
    replicas,
    onEnd({ state }) {
      hosted.calls++
      if (state === 'FAILED') hosted.errors++
    },
    log: log.child({ agentId }),
  })
  const repeated = openRepeated(keptMessages)
  const rpc = new JsonRpcTransportHandler(new DefaultRequestHandler(card, tasks, executor))
  const answerFirst = async (
    request: Record<string, unknown>,
    context: ServerCallContext,
  ): Promise<object> => {
    const answer = await rpc.handle(request, context)
    if (!(Symbol.asyncIterator in answer)) return answer
    // The card declares no streaming: the stream's first step throws so.
    const first = await answer.next()
    return first.value ?? { jsonrpc: '2.0', id: request.id ?? null, result: null }
  }
  const hosted: Hosted = {
    deployment,
    visibility: deployment.manifest.spec.visibility,
    startedAt: new Date(),
    calls: 0,
    errors: 0,
    card: AgentCard.toJSON(card),
    async answer(request, subject, version) {
      const context = new ServerCallContext({
        user: { isAuthenticated: true, userName: subject },
        ...(version === undefined ? {} : { requestedVersion: version }),
      })
      try {
        validateVersion(context.requestedVersion, card, 'JSONRPC')
        return await repeated.once(
          request,
          subject,
          () => answerFirst(request, context),
          async (taskId) => {
            const task = await tasks.load(taskId, context)
            return task ? { jsonrpc: '2.0', result: { task: Task.toJSON(task) } } : null
          },
        )
      } catch (error) {
        return {
          jsonrpc: '2.0',
          id: request.id ?? null,
          error: JsonRpcTransportHandler.mapToJSONRPCError(error),
        }
      }
    },
  }
  return hosted
}

export const versionHeader = A2A_VERSION_HEADER.toLowerCase()
