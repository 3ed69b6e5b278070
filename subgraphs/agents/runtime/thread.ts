import type { HeapInfo } from 'node:v8'
import { type ResourceLimits, Worker } from 'node:worker_threads'
import type { Deployment } from './deployment.ts'

/** REJECTED: the request is at fault; FAILED: the agent is. `output` is JSON. */
export type RunOutcome =
  | { state: 'COMPLETED'; output: string }
  | { state: 'REJECTED' | 'FAILED'; reason: string }

export type ToReplica =
  | { kind: 'deploy'; agentId: string; deployment: Deployment }
  | { kind: 'undeploy'; agentId: string }
  | {
      kind: 'run'
      place: number
      id: number
      agentId: string
      capability: string
      input: unknown
      deadlineAt: number
    }
  | { kind: 'cancel'; id: number }
  | { kind: 'collect' }

export type ToPool =
  | { kind: 'ready' }
  | { kind: 'deployed'; agentId: string; deploymentId: string; refusal: string | null }
  /** Null: it was taken back before it had begun. */
  | { kind: 'ended'; place: number; id: number; outcome: RunOutcome | null }
  | { kind: 'broken'; place: number; id: number; broken: string }
  /** What nothing holds any more is gone from its memory. */
  | { kind: 'collected' }

/**
 * What both sides hold of a run, a number in each place: whoever changes `given` first has it. So a run that waits behind one
 * that computes without end can be taken back, and none is begun twice.
 */
export const given = 1
export const begun = 2
export const takenBack = 3

export type ThreadSettings = {
  /** In shared memory, as many as there are places. */
  claims: Int32Array<SharedArrayBuffer>
  /** Of one run. */
  deadlineMs: number
  /** Of an output's JSON. */
  maxOutputChars: number
}

type Thread = {
  post(message: ToReplica): void
  /** Since its start. */
  busyMs(): number
  /** What it has in its heap and in buffers outside, with what is not collected yet. Tells it also while it computes. */
  memoryBytes(): Promise<number>
  terminate(): Promise<void>
}

export type StartThread = (
  settings: ThreadSettings,
  events: { message: (message: ToPool) => void; ended: (reason: string) => void },
) => Thread

// More than the largest inputs and outputs of all places take.
const resourceLimits: ResourceLimits = { maxOldGenerationSizeMb: 256 }

/** A worker thread that runs `script`. What it does wrong, and that it needs too much memory, ends it alone. */
export const workerThread =
  (script: URL): StartThread =>
  (settings, { message, ended }) => {
    const worker = new Worker(script, { workerData: settings, resourceLimits })
    let reason = 'it ended by itself'
    worker.on('message', message)
    worker.once('error', (error: Error & { code?: string }) => {
      reason = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it ran out of memory' : `it failed: ${error}`
    })
    worker.once('exit', () => ended(reason))
    return {
      post: (sent) => worker.postMessage(sent),
      busyMs: () => worker.performance.eventLoopUtilization().active,
      memoryBytes: async () => memoryBytesOf(await worker.getHeapStatistics()),
      terminate: async () => void (await worker.terminate()),
    }
  }

export const memoryBytesOf = ({ used_heap_size: heap, external_memory: outside }: HeapInfo): number =>
  heap + outside
