import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import { GraphError, isAway } from '../../kit/graph.ts'
import { administratorScope } from '../../kit/principal.ts'
import { type Repeated, repeat } from '../../kit/repeat.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { advance, toldOfCertification } from './advance.ts'
import { announceSubmission } from './announce.ts'
import { move, type ToAsk, takeToAsk } from './store.ts'

/** The agent that brings submissions on. */
const manager = 'agent:marketplace-manager'

const everyMs = 1_000
const batch = 10
const tokenTtlSeconds = 60

const told = '{ id agentId level status reasons version }'
const request = `mutation ($agentId: ID!, $level: CertificationLevel!) {
  certification: requestCertification(agentId: $agentId, level: $level) ${told}
}`
const look = `query ($id: ID!) { certification(id: $id) ${told} }`
const answer = z.object({
  certification: toldOfCertification.shape.certification.extend({ version: z.int() }).nullish(),
})

/**
 * Asks for the certification of what was submitted, in its owner's name. What becomes of it comes by events; once in a while it
 * is asked after, should one have been missed.
 */
export function keepCertifying(floor: Floor): Repeated {
  const { pool, keys, graph, config, log, nudge } = floor
  const internally = async <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> =>
    await inTransaction(pool, internalSettings, fn)

  const ask = async (submission: ToAsk, signal: AbortSignal): Promise<void> => {
    const { id, agentId, organizationId, level, visibility, status, certificationId } = submission
    const scope = `certification:request${visibility === 'PRIVATE' ? ` ${administratorScope}` : ''}`
    const token =
      keys.issuer &&
      (await keys.issuer.sign(
        { org: organizationId, scope },
        {
          audience: config.jwtAudience,
          issuer: config.jwtIssuer,
          subject: manager,
          ttlSeconds: tokenTtlSeconds,
        },
      ))
    // Tokens come from elsewhere: nobody here can speak for the owner. It goes on when the owner has asked.
    if (token === null) return
    try {
      const seen =
        certificationId === null
          ? await graph.ask(request, { agentId, level }, token, signal)
          : await graph.ask(look, { id: certificationId }, token, signal)
      const { certification } = answer.parse(seen)
      if (!certification) return
      await internally((tx) => advance(tx, { certification, version: certification.version }))
      nudge()
    } catch (error) {
      if (!(error instanceof GraphError) || isAway(error) || status !== 'SUBMITTED') throw error
      const why = `its certification was refused: ${error.message}`
      await internally(async (tx) => {
        const row = await move(tx, id, ['SUBMITTED'], 'CHANGES_REQUESTED', { by: manager, why })
        if (row) await announceSubmission(tx, row)
      })
      nudge()
    }
  }

  return repeat({ everyMs, log, problem: 'certifications can not be asked for now' }, async (signal) => {
    const taken = await internally((tx) => takeToAsk(tx, batch))
    const asked = await Promise.allSettled(taken.map((each) => ask(each, signal)))
    const failed = asked.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  })
}
