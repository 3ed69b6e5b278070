import { type ListTasksRequest, type Task, TaskState } from '@a2a-js/sdk'
import type { ServerCallContext, TaskStore } from '@a2a-js/sdk/server'

/** The tasks of a pool, the latest `limit` of them. */
export type RecentTasks = { of(agentId: string): TaskStore }

/**
 * A task is seen by the agent it was given to and the caller who gave it. What the caller sent is not kept: it is in
 * the answer for those who ask for history.
 */
export function openRecentTasks(limit: number): RecentTasks {
  const tasks = new Map<string, Task>()
  return {
    of(agentId) {
      const ownerOf = (context: ServerCallContext) =>
        JSON.stringify([agentId, context.tenant ?? '', context.user?.userName ?? '', ''])
      const keyOf = (id: string, context: ServerCallContext) => `${ownerOf(context)}${id}`
      return {
        async save(task, context) {
          const key = keyOf(task.id, context)
          tasks.delete(key)
          tasks.set(key, structuredClone({ ...task, history: [] }))
          for (const oldest of tasks.keys()) {
            if (tasks.size <= limit) break
            tasks.delete(oldest)
          }
        },
        async load(id, context) {
          return structuredClone(tasks.get(keyOf(id, context)))
        },
        async list(wanted, context) {
          const owner = ownerOf(context)
          const own = [...tasks].flatMap(([key, task]) => (key.startsWith(owner) ? task : []))
          return pageOf(
            own.toReversed().filter((task) => isWanted(task, wanted)),
            wanted,
          )
        },
      }
    },
  }
}

function isWanted({ contextId, status }: Task, wanted: ListTasksRequest): boolean {
  if (wanted.contextId !== '' && wanted.contextId !== contextId) return false
  if (wanted.status !== TaskState.TASK_STATE_UNSPECIFIED && wanted.status !== status?.state) return false
  return !wanted.statusTimestampAfter || (status?.timestamp ?? '') > wanted.statusTimestampAfter
}

// The token is the id of the last task of the page before; when that one is gone, what follows it is older and gone too.
function pageOf(tasks: Task[], { pageToken, pageSize = 50, includeArtifacts = false }: ListTasksRequest) {
  const after = tasks.findIndex((task) => task.id === pageToken)
  const rest = pageToken === '' ? tasks : after < 0 ? [] : tasks.slice(after + 1)
  const page = rest
    .slice(0, pageSize)
    .map((task) => structuredClone(includeArtifacts ? task : { ...task, artifacts: [] }))
  const nextPageToken = rest.length > pageSize ? (page.at(-1)?.id ?? '') : ''
  return { tasks: page, nextPageToken, pageSize, totalSize: tasks.length }
}
