import { setTimeout as sleep } from 'node:timers/promises'
import { createBell } from '@community/infra/bell.ts'
import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { openOutbound } from '../../kit/outbound.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { type Pace, usualPace } from './pace.ts'
import { type Due, takeDue } from './queue.ts'
import { sender } from './send.ts'
import { tidy } from './tidy.ts'

const drainMs = 3_000
const breathMs = 20

type Floor = Pick<MarketplaceFloor, 'pool' | 'config' | 'seal' | 'addressesOf' | 'log'>

/** Sends what webhooks are to be told. Any number of processes share the work. */
export function startWebhooks(floor: Floor, pace: Pace = usualPace): { stop(): Promise<void> } {
  const { pool, config, addressesOf, log } = floor
  const { slots, room } = pace
  const stopping = new AbortController()
  const givingUp = new AbortController()
  const bell = createBell()
  const outbound = openOutbound({
    allow: config.agentEndpointAllow,
    // The operator's own agents are no place for webhooks.
    trusted: [],
    encrypted: true,
    addressesOf,
  })
  const underWay = new Set<Promise<void>>()
  let failingUnderWay = 0
  let tidiedAt = Number.NEGATIVE_INFINITY
  let complained = false

  const internally = async <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> =>
    await inTransaction(pool, internalSettings, fn)
  const send = sender(floor, pace, { outbound, signal: givingUp.signal, internally })

  const begin = (due: Due) => {
    const weight = due.failing ? 1 : 0
    failingUnderWay += weight
    const sent = send(due)
      // Its lease runs out, and it is sent once more.
      .catch((error: unknown) => log.warn({ err: error, delivery: due.id }, 'a webhook could not be told'))
      .finally(() => {
        underWay.delete(sent)
        failingUnderWay -= weight
        bell.ring()
      })
    underWay.add(sent)
  }

  const takeSome = async (): Promise<number> => {
    const free = slots - underWay.size
    if (free <= 0) return 0
    const freeForFailing = Math.min(free, Math.ceil(slots / 2) - failingUnderWay)
    const taken = await internally(async (tx) => {
      const failing = await takeDue(tx, { ...room, failing: true, perWebhook: 1, free: freeForFailing })
      const others = await takeDue(tx, { ...room, failing: false, free: free - failing.length })
      return [...failing, ...others]
    })
    for (const due of taken) begin(due)
    return taken.length
  }

  const tidyUp = async (): Promise<void> => {
    if (performance.now() - tidiedAt < pace.tidyMs) return
    tidiedAt = performance.now()
    await internally((tx) => tidy(tx, pace.keep))
  }

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      let taken = 0
      try {
        await tidyUp()
        taken = await takeSome()
        complained = false
      } catch (error) {
        if (!complained && !stopping.signal.aborted)
          log.warn({ err: error }, 'webhooks can not be told for now: trying again')
        complained = true
      }
      if (taken === 0) await bell.wait(pace.pollMs, stopping.signal)
      // Places that come free within a moment are filled together.
      await sleep(breathMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
      await Promise.race([Promise.all(underWay), sleep(drainMs, undefined, { ref: false })])
      givingUp.abort(new Error('webhooks are not told any more'))
      await Promise.all(underWay)
      await outbound.destroy()
    },
  }
}
