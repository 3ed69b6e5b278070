import { z } from 'zod'
import { skill } from './skill.ts'

const certificationSchema = z.object({
  status: z.string(),
  level: z.string(),
  agentVersion: z.string().nullable(),
  expiresAt: z.string().nullable(),
  reasons: z.array(z.string()),
})
const agentSchema = z.object({
  id: z.string(),
  version: z.string(),
  certification: certificationSchema.nullable(),
})
type Agent = z.output<typeof agentSchema>
const answer = z.object({
  agents: z.object({ totalCount: z.int(), edges: z.array(z.object({ node: agentSchema })) }),
})

/** The most pressing first. */
const states = [
  'REVOKED',
  'EXPIRED',
  'MISSING',
  'REJECTED',
  'OUTDATED',
  'EXPIRING',
  'UNDER_WAY',
  'IN_FORCE',
] as const
const stateSchema = z.enum(states)
type State = (typeof states)[number]
type Judged = { agent: string; state: State; daysLeft: number | null; reason: string }

/** Where each active agent's certificate stands, and on which day which certification should be asked for. */
export const certificationOutlook = skill({
  name: 'certification-outlook',
  configuration: z.strictObject({
    /** A certificate that ends within so many days is due. */
    horizonDays: z.int().min(1).max(366),
    due: z.array(stateSchema).min(1).max(6),
    /** Certification takes time; no more are planned for one day. */
    requestsPerDay: z.int().min(1).max(200),
    first: z.int().min(1).max(50),
  }),
  input: z.strictObject({
    pool: z.string().max(60).optional().describe('Only agents of this pool'),
    horizonDays: z.int().min(1).max(366).optional().describe('Look further ahead, or less far'),
  }),
  output: z.strictObject({
    examined: z.int().describe('Active agents looked at, at most 200'),
    states: z.record(z.string(), z.int()).describe('How many certificates are in each state'),
    requests: z
      .array(
        z.strictObject({
          agent: z.string().describe("The agent's id"),
          state: stateSchema.describe('Of its certificate'),
          reason: z.string().describe('What was seen'),
          on: z.string().describe('The day to ask for certification, UTC'),
        }),
      )
      .describe('In the order of the days'),
    further: z.int().describe('Requests that are not shown'),
  }),
  async run({ pool, horizonDays }, configuration, context) {
    const { agents } = answer.parse(
      await context.graph(
        `query CertificationOutlook($filter: AgentFilter) {
          agents(first: 200, filter: $filter) {
            totalCount
            edges { node { id version certification { status level agentVersion expiresAt reasons } } }
          }
        }`,
        { filter: { pool, status: ['ACTIVE'] } },
      ),
    )
    const now = context.now()
    const judged = agents.edges.map(({ node }) =>
      stateOf(node, now, horizonDays ?? configuration.horizonDays),
    )
    const requests = planned(
      judged.filter(({ state }) => configuration.due.includes(state)),
      now,
      configuration.requestsPerDay,
    )
    return {
      examined: judged.length,
      states: Object.fromEntries(
        states
          .map((state) => [state, judged.filter((one) => one.state === state).length] as const)
          .filter(([, count]) => count > 0),
      ),
      requests: requests.slice(0, configuration.first),
      further: Math.max(0, requests.length - configuration.first),
    }
  },
})

const dayMs = 86_400_000

function stateOf({ id, version, certification }: Agent, now: Date, horizonDays: number): Judged {
  const is = (state: State, reason: string, daysLeft: number | null = null) => ({
    agent: id,
    state,
    daysLeft,
    reason,
  })
  if (!certification) return is('MISSING', 'it was never examined')
  const { status, agentVersion, expiresAt, reasons, level } = certification
  if (status === 'REQUESTED' || status === 'RUNNING') return is('UNDER_WAY', `${level} is being examined`)
  if (status === 'REJECTED') return is('REJECTED', (reasons[0] ?? 'no reason was given').slice(0, 160))
  if (status === 'REVOKED') return is('REVOKED', `its ${level} certificate was taken back`)
  const daysLeft = expiresAt === null ? 0 : Math.floor((Date.parse(expiresAt) - now.getTime()) / dayMs)
  if (status === 'EXPIRED' || daysLeft < 0) return is('EXPIRED', `its ${level} certificate has ended`)
  if (agentVersion !== null && agentVersion !== version)
    return is('OUTDATED', `${agentVersion} was certified, ${version} is in force`)
  if (daysLeft <= horizonDays) return is('EXPIRING', `${level} ends in ${daysLeft} days`, daysLeft)
  return is('IN_FORCE', `${level} for ${daysLeft} days`, daysLeft)
}

/** Earliest deadline first: from today on, full days push the rest to the next. */
function planned(due: readonly Judged[], now: Date, perDay: number) {
  return due
    .toSorted(
      (a, b) =>
        states.indexOf(a.state) - states.indexOf(b.state) ||
        (a.daysLeft ?? 0) - (b.daysLeft ?? 0) ||
        (a.agent < b.agent ? -1 : 1),
    )
    .map(({ agent, state, reason }, index) => ({
      agent,
      state,
      reason,
      on: new Date(now.getTime() + Math.floor(index / perDay) * dayMs).toISOString().slice(0, 10),
    }))
}
