import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bell, createBell } from '@community/infra/bell.ts'
import { inTransaction, inTransactions, isConnectionError } from '@community/infra/postgres.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { openAgentsOnly, type Policy } from '../admission.ts'
import { agentActions } from './definition.ts'
import { stepsIn } from './dependencies.ts'
import { type Execution, RunFailed } from './execution.ts'
import { type Fleet, fleetFolder, openFleet } from './fleet.ts'
import { openGrants } from './grants.ts'
import { type Journal, openJournal, record } from './journal.ts'
import type { Locate } from './located.ts'
import { executeRun } from './run.ts'
import { openSlots, type Slots } from './slots.ts'
import {
  type Claim,
  claimRun,
  type Ending,
  forgetOldOutcomes,
  keepEnding,
  type Requested,
  releaseLease,
  renewLease,
} from './store.ts'
import { type Lease, LeaseLost } from './transition.ts'

const claimEveryMs = 200
const renewEveryMs = 1_000
const maxRuns = 64
// Of all runs: sockets, and answers that are read at once.
const maxCalls = 256
const forgetEveryMs = 3_600_000

/**
 * Executes the runs that nobody works on. When this process dies, its leases lapse and another takes the runs over;
 * when it stops, it gives them back.
 */
export function startOrchestrator(
  floor: Floor,
  {
    fleet = openFleet(fleetFolder, floor.config.homeOrganization),
    locate,
    bell = createBell(),
    policy = openAgentsOnly,
  }: Options,
) {
  const { pool, log } = floor
  const slots = openSlots(maxCalls)
  const stopping = new AbortController()
  const executing = new Set<Promise<void>>()
  let failing = false

  const claimNext = async (): Promise<boolean> => {
    if (executing.size >= maxRuns) return false
    // Who looks into the database finds the process.
    const owner = `${process.pid}:${randomUUID()}`
    const claim = await claimRun(inTransactions(pool, internalSettings), owner)
    if (!claim) return false
    const lease: Lease = { runId: claim.id, owner, pool, nudge: floor.nudge }
    const execution = execute(floor, claim, lease, {
      fleet,
      locate,
      slots,
      policy,
      stopping: stopping.signal,
    })
    executing.add(execution)
    void execution.finally(() => {
      // There may be one that had no place.
      if (executing.size === maxRuns) bell.ring()
      executing.delete(execution)
    })
    return true
  }
  const claiming = (async () => {
    let forgetAt = 0
    while (!stopping.signal.aborted) {
      try {
        while (await claimNext());
        if (Date.now() > forgetAt) await inTransaction(pool, internalSettings, forgetOldOutcomes)
        if (Date.now() > forgetAt) forgetAt = Date.now() + forgetEveryMs
        failing = false
      } catch (error) {
        if (!failing) log.warn({ err: error }, 'runs could not be claimed, trying again')
        failing = true
      }
      await bell.wait(claimEveryMs, stopping.signal)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await claiming
      await Promise.all(executing)
    },
  }
}

type Options = {
  fleet?: Fleet
  locate: Locate
  /** Rings when there may be a run to execute. */
  bell?: Bell
  policy?: Policy
}

type Around = {
  fleet: Fleet
  locate: Locate
  slots: Slots
  policy: Policy
  stopping: AbortSignal
}

/** Never rejects. */
async function execute(floor: Floor, claim: Claim, lease: Lease, around: Around): Promise<void> {
  const log = floor.log.child({ run: claim.id })
  const ended = new AbortController()
  const signal = AbortSignal.any([around.stopping, ended.signal])
  let held: Held = heldBy(claim)
  let journal: Journal | null = null
  let takeGrants: Execution['takeGrants'] = () => Promise.resolve()
  const renewing = keepLease(lease, signal, async (requested) => {
    held = heldBy(requested)
    if (requested.granted) await takeGrants()
  }).catch((error: unknown) => ended.abort(error))
  try {
    log.info('executing')
    const [opened, fleet] = await Promise.all([
      openJournal(lease),
      // A hundred and fifty files that most plans have nothing to do with.
      isOfFleet(claim) ? around.fleet() : new Map(),
    ])
    journal = opened
    takeGrants = openGrants(lease, opened)
    await executeRun({
      floor,
      lease,
      journal,
      locate: around.locate,
      slots: around.slots,
      claim,
      fleet,
      signal,
      policy: around.policy,
      held: () => held,
      takeGrants,
    })
    log.info('executed')
  } catch (error) {
    // What its steps under way come to must not come between.
    await journal?.close()
    await giveUp(lease, claim, error, signal, log)
  } finally {
    ended.abort()
    await renewing
    await journal?.close()
    await releaseLease(inTransactions(lease.pool, internalSettings), claim.id, lease.owner).catch(
      // It lapses by itself.
      (error: unknown) => log.warn({ err: error }, 'a lease could not be given back'),
    )
  }
}

/** What passes is tried again by whoever claims the run next; what does not ends it. */
async function giveUp(
  lease: Lease,
  claim: Claim,
  error: unknown,
  signal: AbortSignal,
  log: Floor['log'],
): Promise<void> {
  if (signal.aborted || error instanceof LeaseLost || isConnectionError(error))
    return log.warn({ err: error }, 'a run is given back')
  log.error({ err: error }, 'a run failed')
  const reason = error instanceof RunFailed ? error.message : 'the orchestrator failed: its log tells why'
  const ending: Ending = { status: 'FAILED', reasons: [reason] }
  // Whoever claims it next undoes what has succeeded; where that is what failed, it is not tried again.
  const undoes = stepsIn(claim.definition).some(({ step }) => 'compensate' in step && step.compensate)
  const recorded =
    undoes && !claim.ending
      ? inTransaction(lease.pool, internalSettings, (tx) => keepEnding(tx, lease, ending))
      : record(lease, { transition: 'PLAN_FAILED', run: ending })
  await recorded.catch((failure: unknown) =>
    log.warn({ err: failure }, 'the failure of a run could not be recorded'),
  )
}

async function keepLease(
  lease: Lease,
  signal: AbortSignal,
  onRenewed: (requested: Requested) => Promise<void>,
): Promise<void> {
  for (;;) {
    await sleep(renewEveryMs, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) return
    const kept = await renewLease(inTransactions(lease.pool, internalSettings), lease.runId, lease.owner)
    if (!kept) throw new LeaseLost(lease.runId)
    await onRenewed(kept)
  }
}

type Held = ReturnType<Execution['held']>

function heldBy({ cancelRequested, pauseRequested }: Requested): Held {
  if (cancelRequested) return 'CANCELLED'
  return pauseRequested ? 'PAUSED' : null
}

/** Whether it deals with agents as the fleet's manifests say. */
const isOfFleet = ({ definition: { phases } }: Claim): boolean =>
  phases.some(
    ({ select, steps = [] }) =>
      select !== undefined || steps.some(({ action }) => agentActions.some((each) => each === action)),
  )
