import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { z } from 'zod'

const subscription = `subscription ($planId: ID!, $after: String) {
  deploymentStatus(planId: $planId, after: $after) {
    transition phase
    plan {
      id status reasons iteration progress { done failed total } tokenBudget { allocated spent } startedAt finishedAt
    }
  }
}`

const status = z.object({
  transition: z.string().nullable(),
  phase: z.string().nullable(),
  plan: z.object({
    id: z.string(),
    status: z.string(),
    reasons: z.array(z.string()),
    iteration: z.number(),
    progress: z.object({ done: z.number(), failed: z.number(), total: z.number() }),
    tokenBudget: z.object({ allocated: z.number(), spent: z.number() }),
    startedAt: z.coerce.date().nullable(),
    finishedAt: z.coerce.date().nullable(),
  }),
})
export type Status = z.output<typeof status>

const stream = z.object({ stream: z.object({ kind: z.string().optional(), cursor: z.string() }) })

export const going: readonly string[] = ['PENDING', 'RUNNING', 'PAUSED']

const patienceMs = 60_000
const pauseMs = 500

/** The graph does not tell of the run, and won't if asked again. */
class NotTold extends Error {}

/** Every status of the run to its end; goes on where it was when the connection breaks. Throws after 60 s without one. */
export async function* follow(
  url: string,
  planId: string,
  tokenOf: () => Promise<string>,
): AsyncGenerator<Status> {
  let after: string | null = null
  let heardAt = Date.now()
  for (;;) {
    const client = createClient({
      url: url.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      keepAlive: 10_000,
      connectionParams: async () => ({ authorization: `Bearer ${await tokenOf()}` }),
    })
    try {
      const results: AsyncIterable<Result> = client.iterate({
        query: subscription,
        variables: { planId, after },
      })
      for await (const result of results) {
        const [error] = result.errors ?? []
        if (error && after === null) throw new NotTold(error.message)
        const { cursor = null, kind } = stream.safeParse(result.extensions).data?.stream ?? {}
        after = cursor
        if (error) break
        const found = told.safeParse(result.data)
        if (!found.success) throw new NotTold(`there is no run ${planId}`)
        heardAt = Date.now()
        // An outage of the event log, and its end, are told by what was told before.
        if (kind === 'PAUSED' || kind === 'RESUMED') continue
        yield found.data.deploymentStatus
        if (!going.includes(found.data.deploymentStatus.plan.status)) return
      }
    } catch (error) {
      if (error instanceof NotTold || Date.now() - heardAt > patienceMs) throw error
      const refusal = refusals.safeParse(error).data?.[0]
      // A cursor can be too old to go on from: once without it, then it is the run that is not told.
      if (refusal && after === null) throw new NotTold(refusal.message)
      if (refusal) after = null
    } finally {
      await client.dispose()
    }
    if (Date.now() - heardAt > patienceMs) throw new Error(`nothing was heard for ${patienceMs / 1000} s`)
    await sleep(pauseMs)
  }
}

type Result = {
  data?: unknown
  errors?: readonly { message: string }[] | undefined
  extensions?: unknown
}

/** What a subscription that is refused throws. */
const refusals = z.array(z.object({ message: z.string() }))
const told = z.object({ deploymentStatus: status })
