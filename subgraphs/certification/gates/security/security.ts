import { type Finding, type Gate, notEvaluated } from '../gate.ts'
import { judgedWith } from '../weakness.ts'
import { examineManifest } from './documents.ts'
import { examineEndpoint, type SecurityOptions } from './endpoint.ts'
import { examineInnerAddresses } from './inner-addresses.ts'

const tokenTtlSeconds = 600

/** The manifest holds and asks for nothing that it should not, and the agent can't be made to act for others. */
export const securityGate = (options: SecurityOptions): Gate => ({
  name: 'security',
  async evaluate(agent, signal) {
    const { endpoint, id, version, deployedVersion } = agent
    const documents = examineManifest(agent)
    const judgedSoFar = judgedWith(documents.checks, documents.found)
    if (endpoint === null || deployedVersion === null)
      return unfinished(judgedSoFar, 'the agent has no endpoint: it is not deployed')
    if (deployedVersion !== version)
      return unfinished(judgedSoFar, `version ${version} is not deployed: version ${deployedVersion} runs`)
    const { keys, caller, timeoutMs = 10_000, maxBytes = 1024 * 1024 } = options
    const claims = { audience: `agent:${id}`, subject: caller, ttlSeconds: tokenTtlSeconds }
    const token = await keys.sign({}, claims)
    const exam = { ...options, agent, endpoint, token, bounds: { timeoutMs, maxBytes, signal } }
    const reached = await examineEndpoint(exam)
    const parts = [documents, reached, ...(reached.answers ? [await examineInnerAddresses(exam)] : [])]
    return judgedWith(
      parts.flatMap(({ checks }) => checks),
      parts.flatMap(({ found }) => found),
    )
  },
})

/** What fails by its manifest fails; what does not has not passed yet. */
function unfinished(found: Finding, reason: string): Finding {
  if (found.verdict === 'FAIL') return found
  const { evidence } = notEvaluated(reason)
  return {
    verdict: 'NOT_EVALUATED',
    evidence: { ...found.evidence, ...evidence, checks: found.evidence.checks },
  }
}
