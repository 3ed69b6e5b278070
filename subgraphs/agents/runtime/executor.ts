import { randomUUID } from 'node:crypto'
import { type Artifact, Role, type Task, TaskState } from '@a2a-js/sdk'
import { AgentEvent, type AgentExecutor } from '@a2a-js/sdk/server'
import type { Log } from '@community/infra/log.ts'
import { dataPart, textPart } from '../../kit/a2a.ts'
import type { Replicas } from './replicas.ts'
import { readRequest } from './request.ts'
import type { RunOutcome } from './thread.ts'

export type ExecutorOptions = {
  agentId: string
  /** The names of its capabilities. */
  capabilities: readonly string[]
  replicas: Replicas
  onEnd: (outcome: RunOutcome) => void
  log: Log
}

/** One task for each message: WORKING, then COMPLETED with the output as an artifact, REJECTED, FAILED or CANCELED. */
export function openExecutor(options: ExecutorOptions): AgentExecutor {
  const { onEnd, log } = options
  const running = new Map<string, AbortController>()
  return {
    async execute({ taskId, contextId, userMessage, context }, events) {
      log.debug({ taskId, caller: context.user?.userName }, 'works on a message')
      const cancelling = new AbortController()
      running.set(taskId, cancelling)
      const publish = (state: TaskState, details: { reason?: string; artifacts?: Artifact[] } = {}) =>
        events.publish(AgentEvent.task(taskOf(taskId, contextId, state, details)))
      publish(TaskState.TASK_STATE_WORKING)
      try {
        const data = userMessage.parts.map(({ content }) =>
          content?.$case === 'data' ? content.value : undefined,
        )
        const outcome = await outcomeOf(options, data, cancelling.signal)
        onEnd(outcome)
        if (cancelling.signal.aborted) return publish(TaskState.TASK_STATE_CANCELED)
        if (outcome.state !== 'COMPLETED') return publish(TaskState[`TASK_STATE_${outcome.state}`], outcome)
        publish(TaskState.TASK_STATE_COMPLETED, { artifacts: [outputArtifact(JSON.parse(outcome.output))] })
      } catch (error) {
        log.error({ err: error, taskId }, 'a task could not be run')
        onEnd({ state: 'FAILED', reason: 'internal error' })
        publish(TaskState.TASK_STATE_FAILED, { reason: 'internal error' })
      } finally {
        running.delete(taskId)
      }
    },
    // The run that is given up publishes its task's end.
    async cancelTask(taskId) {
      running.get(taskId)?.abort(new Error('the task was cancelled'))
    },
  }
}

async function outcomeOf(
  { agentId, capabilities, replicas }: ExecutorOptions,
  parts: unknown[],
  signal: AbortSignal,
): Promise<RunOutcome> {
  const request = readRequest(parts, capabilities)
  if ('reason' in request) return request
  const running = replicas.run({ agentId, ...request, signal })
  return running ? await running : { state: 'FAILED', reason: 'too many calls at once, try again later' }
}

const outputArtifact = (output: unknown): Artifact => ({
  artifactId: 'output',
  name: 'output',
  description: '',
  parts: [dataPart(output)],
  metadata: undefined,
  extensions: [],
})

function taskOf(
  id: string,
  contextId: string,
  state: TaskState,
  { reason, artifacts = [] }: { reason?: string; artifacts?: Artifact[] },
): Task {
  const message = reason === undefined ? undefined : reply(id, contextId, reason)
  const status = { state, message, timestamp: new Date().toISOString() }
  return { id, contextId, status, artifacts, history: [], metadata: undefined }
}

const reply = (taskId: string, contextId: string, text: string) => ({
  messageId: randomUUID(),
  contextId,
  taskId,
  role: Role.ROLE_AGENT,
  parts: [textPart(text)],
  metadata: undefined,
  extensions: [],
  referenceTaskIds: [],
})
