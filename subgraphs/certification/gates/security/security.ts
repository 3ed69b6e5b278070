import { reach } from '../call.ts'
import type { Finding, Gate } from '../gate.ts'
import { judgedWith, told } from '../weakness.ts'
import { type Examined, examineManifest } from './documents.ts'
import { examineEndpoint, type SecurityOptions } from './endpoint.ts'
import { examineInnerAddresses } from './inner-addresses.ts'
import { weakness } from './rules.ts'

const tokenTtlSeconds = 600

/** The manifest holds and asks for nothing that it should not, and the agent can't be made to act for others. */
export const securityGate = (options: SecurityOptions): Gate => ({
  name: 'security',
  async evaluate(agent, signal) {
    const documents = examineManifest(agent)
    const reached = await reach(agent, options)
    if ('finding' in reached) return withoutEndpoint(documents, reached.finding)
    const { endpoint, bounds } = reached
    const { keys, caller } = options
    const claims = { audience: `agent:${agent.id}`, subject: caller, ttlSeconds: tokenTtlSeconds }
    const token = await keys.sign({}, claims)
    const exam = { ...options, agent, endpoint, token, bounds: { ...bounds, signal } }
    const { answers, ...answered } = await examineEndpoint(exam)
    const parts = [documents, answered, ...(answers ? [await examineInnerAddresses(exam)] : [])]
    return judgedWith(
      parts.flatMap(({ checks }) => checks),
      parts.flatMap(({ found }) => found),
    )
  },
})

/** What fails by its manifest fails; what does not has not passed yet. */
function withoutEndpoint({ checks, found }: Examined, { verdict, evidence }: Finding): Finding {
  const refused = evidence.checks.map(({ seen }) => weakness('endpoint-refused', '/spec/endpoint', seen))
  const documents = judgedWith([...checks, ...evidence.checks], [...found, ...refused])
  if (documents.verdict === 'FAIL') return documents
  return { verdict, evidence: { ...evidence, checks, findings: told(found) } }
}
