import { inTransaction } from '@community/infra/postgres.ts'
import { whileLeader } from '../kit/leader.ts'
import { type Floor, internalSettings } from '../kit/subgraph.ts'
import { hostable } from './runtime/hostable.ts'
import type { Hosting } from './runtime/hosting.ts'
import type { HostedAgent, PoolReport } from './runtime/local.ts'
import { insertHeartbeats, missingIn, strayIn } from './store.ts'

/**
 * Looks at the pools every few seconds: notes which agents live, brings back what a restarted pool lost, and ends what
 * was retired or has moved away. In one process at a time.
 */
export const tendPools = ({ pool, log }: Floor, runtime: Pick<Hosting, 'reconcile' | 'undeploy'>) =>
  whileLeader({ pool, name: 'tend pools', log }, async ({ signal }) => {
    const tending = runtime.reconcile({
      onHeartbeat: async (report) => {
        if (signal.aborted || !report.up) return
        for (const agentId of await noteHeartbeats(report))
          await runtime.undeploy({ agentId, pool: report.pool })
      },
      missing: async (name, hosted) => (signal.aborted ? [] : await missing(name, hosted)),
    })
    try {
      if (!signal.aborted)
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        )
    } finally {
      await tending.stop()
    }

    /** The agents that run and should not. */
    async function noteHeartbeats({ at, hosted, pool: name }: PoolReport & { up: true }): Promise<string[]> {
      const ids = hosted.flatMap(({ agentId, answers }) => (answers === false ? [] : [agentId]))
      return await inTransaction(pool, internalSettings, async (tx) => {
        await insertHeartbeats(tx, name, ids, at)
        return await strayIn(tx, name, hosted)
      })
    }

    async function missing(name: string, hosted: readonly HostedAgent[]) {
      const running = new Map(hosted.map(({ agentId, deploymentId }) => [agentId, deploymentId]))
      const rows = await inTransaction(pool, internalSettings, (tx) => missingIn(tx, name, running))
      return rows.map(({ agentId, deploymentId, organizationId, manifest, visibility }) => ({
        agentId,
        deploymentId,
        organizationId,
        pool: name,
        manifest: hostable(manifest, organizationId, visibility),
      }))
    }
  })
