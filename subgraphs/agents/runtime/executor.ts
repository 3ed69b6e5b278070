import { randomUUID } from 'node:crypto'
import { type Artifact, Role, type Task, TaskState } from '@a2a-js/sdk'
import { AgentEvent, type AgentExecutor } from '@a2a-js/sdk/server'
import type { Log } from '@community/infra/log.ts'
import { dataPart, textPart } from '../../kit/a2a.ts'
import type { SkillContext } from '../skills/skill.ts'
import type { Capability } from './deployment.ts'
import type { Limit } from './limit.ts'
import { type RunResult, readRequest, runCapability } from './run.ts'
import type { Schemas } from './schemas.ts'

export type ExecutorOptions = {
  capabilities: ReadonlyMap<string, Capability>
  schemas: Schemas
  limit: Limit
  deadlineMs: number
  /** Of an output's JSON. */
  maxOutputChars: number
  contextOf: (signal: AbortSignal) => SkillContext
  onEnd: (result: RunResult) => void
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
        const result = await admit(options, data, cancelling.signal)
        onEnd(result)
        if (cancelling.signal.aborted) return publish(TaskState.TASK_STATE_CANCELED)
        if (result.state !== 'COMPLETED') return publish(TaskState[`TASK_STATE_${result.state}`], result)
        publish(TaskState.TASK_STATE_COMPLETED, { artifacts: [outputArtifact(result.output)] })
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

async function admit(options: ExecutorOptions, parts: unknown[], cancelled: AbortSignal): Promise<RunResult> {
  const { capabilities, schemas, limit, deadlineMs, maxOutputChars, contextOf } = options
  const request = readRequest(parts, capabilities)
  if ('reason' in request) return request
  const { capability, input } = request
  const place = limit(async () => {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error(`no result within ${deadlineMs} ms`)), deadlineMs)
    try {
      const signal = AbortSignal.any([cancelled, late.signal])
      return await runCapability(capability, input, contextOf(signal), schemas)
    } finally {
      clearTimeout(timer)
    }
  })
  if (!place) return { state: 'FAILED', reason: 'too many calls at once, try again later' }
  const result = await place
  if (result.state !== 'COMPLETED' || JSON.stringify(result.output).length <= maxOutputChars) return result
  return { state: 'FAILED', reason: `the output is larger than ${maxOutputChars} characters` }
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
