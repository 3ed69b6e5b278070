import type { V1Deployment } from '@kubernetes/client-node'

export type Progress = { state: 'GOING' | 'DONE' } | { state: 'FAILED'; reason: string }

/** How far a Deployment's rollout is, as `kubectl rollout status` reads it. */
export function progressOf({ metadata, spec, status }: V1Deployment): Progress {
  // The controller has not seen what was asked for last: its numbers are of what was before.
  if ((status?.observedGeneration ?? 0) < (metadata?.generation ?? 0)) return { state: 'GOING' }
  const conditions = status?.conditions ?? []
  const late = conditions.find(
    ({ type, status: is, reason }) =>
      type === 'Progressing' && is === 'False' && reason === 'ProgressDeadlineExceeded',
  )
  if (late) {
    const cause = conditions.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True')
    const told = [late, cause].flatMap((each) => each?.message ?? [])
    return { state: 'FAILED', reason: told.join('; ') || 'ProgressDeadlineExceeded' }
  }
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0 } = status ?? {}
  const isDone =
    updatedReplicas >= (spec?.replicas ?? 1) &&
    replicas <= updatedReplicas &&
    availableReplicas >= updatedReplicas
  return { state: isDone ? 'DONE' : 'GOING' }
}
