import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@community/infra/log.ts'
import { inTransaction, type Pool } from '@community/infra/postgres.ts'
import { whileLeader } from '../../kit/leader.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { type Runtime, RuntimeError } from '../runtime/local.ts'
import type { PoolState } from '../runtime/pool-state.ts'
import { decide, type Want, wantOf } from './desired.ts'
import { type Look, lookAt } from './look.ts'
import { insertScaling, lastScalings, type ScalingRow, updateServed } from './store.ts'

const lookEveryMs = 1_000
const keptLooks = 120

/** Keeps each pool at as many replicas as its work needs. In one process at a time. */
export const scalePools = ({ pool, log, config }: Floor, runtime: Runtime) =>
  whileLeader({ pool, name: 'scale pools', log }, async ({ signal }) => {
    const last = new Map(
      (await inTransaction(pool, internalSettings, lastScalings)).map((row) => [row.pool, row]),
    )
    // A loop for each pool: one that hangs delays itself only.
    await Promise.all(
      Object.keys(config.agentPools).map(async (name) => {
        const scaler = openScaler({ name, last: last.get(name) ?? null, pool, runtime, log })
        while (!signal.aborted) {
          await scaler.look().catch((error: unknown) => {
            // That a pool does not answer is told by those who tend it.
            const isAway = error instanceof RuntimeError && error.code === 'UNAVAILABLE'
            log[isAway ? 'debug' : 'warn']({ err: error, pool: name }, 'a pool could not be scaled')
          })
          await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined)
        }
      }),
    )
  })

type ScalerOptions = { name: string; last: ScalingRow | null; pool: Pool; runtime: Runtime; log: Log }

function openScaler({ name, last: known, pool, runtime, log }: ScalerOptions) {
  let last = known
  let before: { at: number; state: PoolState } | null = null
  let looks: Look[] = []
  let wants: Want[] = []
  let changedAt = 0

  return {
    async look(): Promise<void> {
      const seen = { at: Date.now(), state: await runtime.state(name) }
      await noteServed(seen.state)
      const look = before && lookAt(before, seen)
      if (before && !look) {
        looks = []
        wants = []
      }
      before = seen
      const { desired, most } = seen.state
      // One that was started anew begins with one replica.
      const wished = Math.min(most, last?.replicasAfter ?? 1)
      if (desired !== wished) await runtime.scale(name, wished)
      if (!look) return
      looks = [...looks, look].slice(-keptLooks)
      wants = [...wants, wantOf(looks, most)].slice(-keptLooks)
      const decision = decide(wished, wants, changedAt)
      if (!decision) return
      changedAt = look.at
      const { replicas: replicasAfter, reason } = decision
      const scaling = { pool: name, replicasBefore: wished, replicasAfter, reason, decidedAt: new Date() }
      // First on record: what the pool is not told now, it is at the next look.
      last = await inTransaction(pool, internalSettings, (tx) => insertScaling(tx, scaling))
      await runtime.scale(name, replicasAfter)
      log.info({ pool: name, before: wished, after: replicasAfter, reason }, 'a pool is scaled')
    },
  }

  async function noteServed({ replicas }: PoolState): Promise<void> {
    const scaling = last
    if (!scaling || scaling.servedAt !== null || scaling.replicasAfter < scaling.replicasBefore) return
    const answers = replicas.flatMap(({ startedAt, firstAnswerAt }) =>
      startedAt >= scaling.decidedAt && firstAnswerAt ? [firstAnswerAt] : [],
    )
    const [servedAt] = answers.toSorted((a, b) => a.getTime() - b.getTime())
    if (!servedAt) return
    await inTransaction(pool, internalSettings, (tx) => updateServed(tx, scaling.id, servedAt))
    last = { ...scaling, servedAt }
  }
}
