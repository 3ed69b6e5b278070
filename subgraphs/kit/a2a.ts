import { randomUUID } from 'node:crypto'
import { Message, type Part, Role, SendMessageRequest, Task, TaskState } from '@a2a-js/sdk'
import { z } from 'zod'

export type Answer = { output: unknown } | { error: string }

export const dataPart = (value: unknown): Part => ({
  content: { $case: 'data', value },
  metadata: undefined,
  filename: '',
  mediaType: 'application/json',
})

export const textPart = (value: string): Part => ({
  content: { $case: 'text', value },
  metadata: undefined,
  filename: '',
  mediaType: 'text/plain',
})

/** Parameters of a blocking SendMessage; an agent may answer a message with an id that it knows as it did before. */
export const sendMessageParams = (part: Part, messageId: string = randomUUID()) =>
  SendMessageRequest.toJSON({
    tenant: '',
    message: {
      messageId,
      contextId: '',
      taskId: '',
      role: Role.ROLE_USER,
      parts: [part],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    },
    configuration: {
      acceptedOutputModes: ['application/json'],
      taskPushNotificationConfig: undefined,
      historyLength: 0,
      returnImmediately: false,
    },
    metadata: undefined,
  })

const object = z.record(z.string(), z.unknown())
const rpcAnswer = z.union([
  z.object({ error: z.object({ code: z.number(), message: z.string() }) }),
  z.object({ result: z.union([z.object({ task: object }), z.object({ message: object })]) }),
])

/** Reads what came back for a SendMessage; `parts` are null where it is no A2A answer. */
export function readAnswer(status: number, text: string): { answer: Answer; parts: Part[] | null } {
  const parsed = rpcAnswer.safeParse(jsonOf(text))
  if (!parsed.success)
    return { answer: { error: `HTTP ${status}, not an A2A answer: ${text.slice(0, 200)}` }, parts: null }
  if ('error' in parsed.data) {
    const { code, message: reason } = parsed.data.error
    return { answer: { error: `${reason} (JSON-RPC error ${code})` }, parts: null }
  }
  try {
    return readResult(parsed.data.result)
  } catch (error) {
    return { answer: { error: `not an A2A answer: ${String(error)}` }, parts: null }
  }
}

function readResult(result: { task: object } | { message: object }): { answer: Answer; parts: Part[] } {
  if ('message' in result) {
    const { parts } = Message.fromJSON(result.message)
    return { answer: outputOf(parts), parts }
  }
  const { status, artifacts } = Task.fromJSON(result.task)
  const parts = [...artifacts.flatMap((artifact) => artifact.parts), ...(status?.message?.parts ?? [])]
  if (status?.state === TaskState.TASK_STATE_COMPLETED) return { answer: outputOf(parts), parts }
  const state = TaskState[status?.state ?? TaskState.TASK_STATE_UNSPECIFIED] ?? 'UNRECOGNIZED'
  const reason = parts.map(textOf).join(' ').slice(0, 2_000)
  return { answer: { error: reason === '' ? `the task ended as ${state}` : reason }, parts }
}

function outputOf(parts: readonly Part[]): Answer {
  for (const { content } of parts) if (content?.$case === 'data') return { output: content.value }
  return { error: 'the answer has no data part' }
}

/** A part's text, JSON, URL or base64. */
export function textOf({ content }: Part): string {
  if (!content) return ''
  if (content.$case === 'data') return JSON.stringify(content.value ?? null)
  return content.$case === 'raw' ? content.value.toString('base64') : content.value
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
