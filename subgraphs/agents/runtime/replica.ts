import type { Deployment } from './deployment.ts'
import type { PoolState } from './pool-state.ts'
import { begun, given, type RunOutcome, type StartThread, type ToPool, takenBack } from './thread.ts'

/** A run that somebody waits for. */
export type Job = {
  agentId: string
  capability: string
  input: unknown
  arrivedAt: number
  resolve(outcome: RunOutcome): void
  reject(error: Error): void
}

export type Replica = {
  id: number
  startedAt: Date
  state: PoolState['replicas'][number]['state']
  /** When it has last been given a run, on the monotonic clock. */
  lastGivenAt: number
  answered: number
  firstAnswerAt: Date | null
  /** Runs that it has, begun or not. */
  running(): number
  hasPlace(): boolean
  busyMs(): number
  give(job: Job): void
  /** Ends what it has begun of the job; true where it had not begun, and never will. */
  cancel(job: Job): boolean
  /**
   * Whether it has told nothing for `patienceMs` and either has not begun what it was given before that, or has computed all the
   * time with no place left. To be asked regularly.
   */
  isStuck(patienceMs: number): boolean
  /** What it has not begun; it never will. */
  takeBack(): Job[]
  /** Whether it has begun a run, should have ended it `graceMs` ago, and did not. */
  isOverdue(graceMs: number): boolean
  deploy(agentId: string, deployment: Deployment): void
  undeploy(agentId: string): void
  end(reason: string): void
}

export type ReplicaEvents = {
  /** Something came from it. */
  told(replica: Replica): void
  deployed(answer: ToPool & { kind: 'deployed' }): void
  answered(replica: Replica, job: Job): void
  /** It is no more; `lost` had not begun. */
  ended(replica: Replica, reason: string, lost: Job[]): void
}

type Options = {
  id: number
  startThread: StartThread
  places: number
  deadlineMs: number
  maxOutputChars: number
  events: ReplicaEvents
}

type Given = { id: number; job: Job; at: number; deadlineAt: number }

/** The pool's side of a thread that runs skills. */
export function startReplica(options: Options): Replica {
  const { id, startThread, places, deadlineMs, maxOutputChars, events } = options
  const claims = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * places))
  const runs = Array.from({ length: places }, (): Given | null => null)
  const isClaimed = (place: number) => Atomics.compareExchange(claims, place, given, takenBack) === given
  let lastId = 0
  let lastToldAt = performance.now()
  let computingSince = lastToldAt
  let noted = { at: lastToldAt, busyMs: 0 }
  let endReason: string | null = null
  const thread = startThread({ claims, deadlineMs, maxOutputChars }, { message, ended })

  const replica: Replica = {
    id,
    startedAt: new Date(),
    state: 'STARTING',
    lastGivenAt: 0,
    answered: 0,
    firstAnswerAt: null,
    running: () => runs.filter((run, place) => run && Atomics.load(claims, place) !== takenBack).length,
    hasPlace: () => runs.includes(null),
    busyMs: () => thread.busyMs(),
    give(job) {
      const place = runs.indexOf(null)
      const run: Given = { id: ++lastId, job, at: performance.now(), deadlineAt: Date.now() + deadlineMs }
      runs[place] = run
      replica.lastGivenAt = run.at
      Atomics.store(claims, place, given)
      const { agentId, capability, input } = job
      thread.post({ kind: 'run', place, id: run.id, agentId, capability, input, deadlineAt: run.deadlineAt })
    },
    cancel(job) {
      const place = runs.findIndex((run) => run?.job === job)
      const run = runs[place]
      if (!run) return false
      if (isClaimed(place)) return true
      thread.post({ kind: 'cancel', id: run.id })
      return false
    },
    isStuck(patienceMs) {
      const since = performance.now() - patienceMs
      noteComputing()
      if (lastToldAt > since) return false
      return (
        (computingSince < since && !runs.includes(null)) ||
        runs.some((run, place) => run && run.at < since && Atomics.load(claims, place) === given)
      )
    },
    takeBack: () => runs.flatMap((run, place) => (run && isClaimed(place) ? [run.job] : [])),
    isOverdue: (graceMs) =>
      runs.some(
        (run, place) => run && Date.now() > run.deadlineAt + graceMs && Atomics.load(claims, place) === begun,
      ),
    deploy: (agentId, deployment) => thread.post({ kind: 'deploy', agentId, deployment }),
    undeploy: (agentId) => thread.post({ kind: 'undeploy', agentId }),
    end(reason) {
      endReason ??= reason
      void thread.terminate()
    },
  }

  function noteComputing(): void {
    const now = { at: performance.now(), busyMs: thread.busyMs() }
    if (now.busyMs - noted.busyMs < 0.9 * (now.at - noted.at)) computingSince = now.at
    noted = now
  }

  function message(told: ToPool): void {
    lastToldAt = performance.now()
    if (told.kind === 'deployed') events.deployed(told)
    else if (told.kind === 'ended' || told.kind === 'broken') settle(told)
    events.told(replica)
  }

  function settle(told: ToPool & { kind: 'ended' | 'broken' }): void {
    const run = runs[told.place]
    if (run?.id !== told.id) return
    runs[told.place] = null
    // Its job was given to another, or nobody waits for it any more.
    if (told.kind === 'ended' && told.outcome === null) return
    replica.answered++
    replica.firstAnswerAt ??= new Date()
    if (told.kind === 'broken') run.job.reject(new Error(told.broken))
    else if (told.outcome) run.job.resolve(told.outcome)
    events.answered(replica, run.job)
  }

  function ended(threadReason: string): void {
    const reason = endReason ?? threadReason
    const lost: Job[] = []
    for (const [place, run] of runs.entries()) {
      if (!run) continue
      if (isClaimed(place)) lost.push(run.job)
      else if (Atomics.load(claims, place) === begun)
        run.job.resolve({ state: 'FAILED', reason: `its replica ended before it did: ${reason}` })
    }
    runs.fill(null)
    events.ended(replica, reason, lost)
  }

  return replica
}
