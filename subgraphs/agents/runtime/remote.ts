import { setTimeout as sleep } from 'node:timers/promises'
import { A2A_PROTOCOL_VERSION, A2A_VERSION_HEADER } from '@a2a-js/sdk'
import type { Keys } from '@community/infra/keys.ts'
import { inTransaction } from '@community/infra/postgres.ts'
import { type Dispatcher, request } from 'undici'
import { z } from 'zod'
import { readText } from '../../kit/body.ts'
import { whileLeader } from '../../kit/leader.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { insertHeartbeats, remoteDeployments } from '../store.ts'

const lookEveryMs = 5_000
const answerWithinMs = 5_000
const mostAnswerBytes = 64 * 1024
/** Looked at in one moment. */
const atOnce = 16

/** Looks at the agents that run elsewhere, and notes which answer. In one process at a time. */
export const probeRemote = ({ pool, log, keys, outbound }: Floor) =>
  whileLeader({ pool, name: 'probe remote agents', log }, async ({ signal }) => {
    while (!signal.aborted) {
      const remote = await inTransaction(pool, internalSettings, remoteDeployments)
      const waiting = remote.values()
      const worker = async () => {
        for (const { agentId, endpoint } of waiting) {
          if (signal.aborted) return
          const at = new Date()
          const failure = await probe(endpoint, { agentId, outbound, keys: keys.internal })
          if (failure === null)
            await inTransaction(pool, internalSettings, (tx) => insertHeartbeats(tx, null, [agentId], at))
          else log.debug({ agentId, failure }, 'a remote agent does not answer')
        }
      }
      await Promise.all(Array.from({ length: Math.min(atOnce, remote.length) }, worker))
      await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined)
    }
  })

type Probed = { agentId: string; outbound: Dispatcher; keys: Keys }

/**
 * Why an agent does not answer, or null. It is asked for a task that is not there: whoever speaks JSON-RPC answers that,
 * with an error that costs nothing; who wants to know first who asks lives too.
 */
export async function probe(endpoint: string, { agentId, outbound, keys }: Probed): Promise<string | null> {
  const claims = { audience: `agent:${agentId}`, subject: 'agent:community-orchestrator', ttlSeconds: 60 }
  try {
    const response = await request(endpoint, {
      method: 'POST',
      dispatcher: outbound,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        authorization: `Bearer ${await keys.sign({}, claims)}`,
        [A2A_VERSION_HEADER]: A2A_PROTOCOL_VERSION,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'GetTask', params: { id: 'no-such-task' } }),
      signal: AbortSignal.timeout(answerWithinMs),
    })
    const text = await readText(response.body, mostAnswerBytes)
    if (response.statusCode === 401 || response.statusCode === 403) return null
    return text !== null && isRpcAnswer(text) ? null : `HTTP ${response.statusCode}, not a JSON-RPC answer`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const rpcAnswer = z.object({ jsonrpc: z.literal('2.0') })

function isRpcAnswer(text: string): boolean {
  try {
    return rpcAnswer.safeParse(JSON.parse(text)).success
  } catch {
    return false
  }
}
