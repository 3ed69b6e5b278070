import type { Log } from '@community/infra/log.ts'
import type { Deployment } from './deployment.ts'
import type { PoolState } from './pool-state.ts'
import { openRecent } from './recent.ts'
import { type Job, type Replica, type ReplicaEvents, startReplica } from './replica.ts'
import type { RunOutcome, StartThread } from './thread.ts'

export type ReplicasOptions = {
  startThread: StartThread
  /** At most so many may be wished for. */
  most: number
  /** Runs that a replica is given at once. */
  places: number
  /** Runs in line behind them. */
  waiting: number
  /** Of one run of a skill. */
  deadlineMs: number
  maxOutputChars: number
  log: Log
}

type Run = { agentId: string; capability: string; input: unknown; signal: AbortSignal }

export type Replicas = {
  /** Rejects where the first replica can't start. */
  ready: Promise<void>
  /** Null, and nothing is run, when too many wait already. */
  run(run: Run): Promise<RunOutcome> | null
  /** Why it is refused, or null; undefined: no replica answered in time. */
  deploy(agentId: string, deployment: Deployment): Promise<string | null | undefined>
  undeploy(agentId: string): void
  scale(count: number): void
  state(): PoolState
  stop(): Promise<void>
}

const watchMs = 250
/** What a replica has been given is begun within milliseconds, unless something computes. */
const stuckAfterMs = 1_000
const graceMs = 1_000
const deployWithinMs = 8_000
const longestPauseMs = 5_000
const latencyWithinMs = 10_000
const latencyCalls = 2_000

/**
 * The threads that run a pool's skills. Each run is given to the least busy one. A replica that computes without end is stuck:
 * what it has not begun goes to others, another one takes its place, and it is ended when a run of it is overdue.
 */
export function startReplicas(options: ReplicasOptions): Replicas {
  const { startThread, most, places, waiting, deadlineMs, maxOutputChars, log } = options
  const startedAt = new Date()
  const deployments = new Map<string, Deployment>()
  const answers = new Map<Deployment, { agentId: string; resolve: (refusal: string | null) => void }>()
  const line: Job[] = []
  const recent = openRecent(latencyWithinMs, latencyCalls)
  const { promise: ready, resolve: becomeReady, reject: neverReady } = Promise.withResolvers<void>()
  ready.catch(() => undefined)
  let replicas: Replica[] = []
  let desired = 1
  let lastId = 0
  let arrived = 0
  let answered = 0
  let refused = 0
  let failedStarts = 0
  let pause: NodeJS.Timeout | undefined
  let stopped: (() => void) | null = null

  const events: ReplicaEvents = {
    told(replica) {
      if (replica.state === 'STARTING') becomeServing(replica)
      else if (replica.state === 'STUCK') replica.state = 'SERVING'
      adjust()
    },
    deployed({ agentId, deploymentId, refusal }) {
      // Also where another one, or the same, was asked for meanwhile: each who asked is told.
      for (const [deployment, asked] of answers)
        if (asked.agentId === agentId && deployment.deploymentId === deploymentId) asked.resolve(refusal)
    },
    answered(_replica, job) {
      answered++
      const declaredMs = deployments.get(job.agentId)?.manifest.spec.performance?.p95LatencyMs ?? null
      recent.note(performance.now() - job.arrivedAt, declaredMs)
    },
    ended(replica, reason, lost) {
      replicas = replicas.filter((each) => each !== replica)
      if (stopped) {
        for (const job of lost) job.resolve({ state: 'FAILED', reason })
        return stop()
      }
      if (replica.state !== 'DRAINING') log.warn({ replica: replica.id, reason }, 'a replica ended')
      if (replica.state === 'STARTING') pauseAfter(reason)
      line.unshift(...lost)
      adjust()
    },
  }

  function becomeServing(replica: Replica): void {
    for (const [agentId, deployment] of deployments) replica.deploy(agentId, deployment)
    replica.state = 'SERVING'
    failedStarts = 0
    becomeReady()
    log.debug({ replica: replica.id }, 'a replica serves')
  }

  function pauseAfter(reason: string): void {
    neverReady(new Error(`a replica could not start: ${reason}`))
    pause = setTimeout(
      () => {
        pause = undefined
        adjust()
      },
      Math.min(longestPauseMs, 100 * 2 ** failedStarts++),
    )
  }

  /** As many as are desired, not counting those that are stuck; then gives them what waits. */
  function adjust(): void {
    if (stopped) return
    const counted = replicas.filter(({ state }) => state === 'STARTING' || state === 'SERVING')
    // Whoever makes all of them stuck again and again gets no thread more than that.
    while (counted.length < desired && replicas.length < desired + most && !pause) {
      const replica = startReplica({
        id: ++lastId,
        startThread,
        places,
        deadlineMs,
        maxOutputChars,
        events,
      })
      replicas.push(replica)
      counted.push(replica)
    }
    const spare = counted.toSorted((a, b) => a.running() - b.running() || b.id - a.id)
    for (const replica of spare.slice(0, Math.max(0, counted.length - desired))) replica.state = 'DRAINING'
    for (const replica of replicas)
      if (replica.state === 'DRAINING' && replica.running() === 0) replica.end('it is no longer needed')
    while (line.length > 0) {
      const [free] = replicas
        .filter((replica) => replica.state === 'SERVING' && replica.hasPlace())
        .toSorted((a, b) => a.running() - b.running() || a.lastGivenAt - b.lastGivenAt)
      if (!free) return
      free.give(line.shift() as Job)
    }
  }

  let watchedAt = performance.now()
  const watching = setInterval(() => {
    const lateMs = performance.now() - watchedAt - watchMs
    watchedAt = performance.now()
    // Who was held up itself has not read yet what the replicas told.
    if (lateMs < watchMs) for (const replica of replicas) watch(replica)
    const since = watchedAt - deadlineMs
    while (line[0] && line[0].arrivedAt < since)
      line.shift()?.resolve({ state: 'FAILED', reason: `no replica was free within ${deadlineMs} ms` })
    adjust()
  }, watchMs)

  function watch(replica: Replica): void {
    if (replica.isOverdue(graceMs)) replica.end(`no result within ${deadlineMs} ms`)
    const isStuck = replica.isStuck(stuckAfterMs)
    if (!isStuck || replica.state === 'STARTING' || replica.state === 'STUCK') return
    const back = replica.takeBack()
    log.warn({ replica: replica.id, takenBack: back.length }, 'a replica is stuck')
    if (replica.state === 'SERVING') replica.state = 'STUCK'
    line.unshift(...back)
  }

  function stop(): void {
    if (replicas.length === 0) stopped?.()
    for (const replica of replicas) replica.end('the pool stops')
  }

  adjust()
  return {
    ready,
    run({ signal, ...run }) {
      const isFull = !replicas.some((replica) => replica.state === 'SERVING' && replica.hasPlace())
      if (isFull && line.length >= waiting) {
        refused++
        return null
      }
      arrived++
      const { promise, resolve, reject } = Promise.withResolvers<RunOutcome>()
      const job: Job = { ...run, arrivedAt: performance.now(), resolve, reject }
      const cancel = () => {
        const place = line.indexOf(job)
        if (place >= 0) line.splice(place, 1)
        else for (const replica of replicas) replica.cancel(job)
        resolve({ state: 'FAILED', reason: 'the task was cancelled' })
      }
      signal.addEventListener('abort', cancel, { once: true })
      line.push(job)
      adjust()
      return promise.finally(() => signal.removeEventListener('abort', cancel))
    },
    async deploy(agentId, deployment) {
      const before = deployments.get(agentId)
      const { promise, resolve } = Promise.withResolvers<string | null | undefined>()
      const timer = setTimeout(() => resolve(undefined), deployWithinMs)
      answers.set(deployment, { agentId, resolve })
      deployments.set(agentId, deployment)
      for (const replica of replicas) if (replica.state !== 'STARTING') replica.deploy(agentId, deployment)
      const refusal = await promise
      clearTimeout(timer)
      answers.delete(deployment)
      if (refusal === null || deployments.get(agentId) !== deployment) return refusal
      if (before) deployments.set(agentId, before)
      else deployments.delete(agentId)
      return refusal
    },
    undeploy(agentId) {
      deployments.delete(agentId)
      for (const replica of replicas) replica.undeploy(agentId)
    },
    scale(count) {
      desired = count
      adjust()
    },
    state: () => ({
      startedAt,
      desired,
      most,
      places,
      replicas: replicas.map((replica) => ({
        id: replica.id,
        state: replica.state,
        startedAt: replica.startedAt,
        firstAnswerAt: replica.firstAnswerAt,
        running: replica.running(),
        answered: replica.answered,
        busyMs: Math.round(replica.busyMs()),
      })),
      running: replicas.reduce((sum, replica) => sum + replica.running(), 0),
      waiting: line.length,
      arrived,
      answered,
      refused,
      latency: recent.latency(),
    }),
    async stop() {
      clearInterval(watching)
      clearTimeout(pause)
      await new Promise<void>((resolve) => {
        stopped = resolve
        stop()
      })
    },
  }
}
