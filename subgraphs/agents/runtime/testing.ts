import { getHeapStatistics } from 'node:v8'
import { MessageChannel } from 'node:worker_threads'
import type { Skill } from '../skills/skill.ts'
import { type ReplicaOptions, serveReplica } from './serve-replica.ts'
import { memoryBytesOf, type StartThread } from './thread.ts'

/** Runs skills in the thread of the test, so that they may be closures. */
export const sameThread =
  (options: ReplicaOptions): StartThread =>
  (settings, { message, ended }) => {
    const { port1, port2 } = new MessageChannel()
    port1.on('message', message)
    port1.once('close', () => ended('it was closed'))
    serveReplica(port2, settings, options)
    return {
      post: (sent) => port1.postMessage(sent),
      busyMs: () => 0,
      memoryBytes: async () => memoryBytesOf(getHeapStatistics()),
      async terminate() {
        port1.close()
      },
    }
  }

/** One that runs these skills, which ask nothing of the graph. */
export const threadWith = (...skills: Skill[]): StartThread =>
  sameThread({ skills: new Map(skills.map((each) => [each.name, each])), graphOf: () => async () => ({}) })
