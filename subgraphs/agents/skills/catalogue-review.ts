import { z } from 'zod'
import { skill } from './skill.ts'

const agentSchema = z.object({
  id: z.string(),
  status: z.string(),
  health: z.string(),
  certification: z.object({ status: z.string() }).nullable(),
  listing: z.object({ rating: z.object({ average: z.number().nullable(), count: z.int() }) }).nullable(),
})
type Agent = z.output<typeof agentSchema>
const answer = z.object({
  agents: z.object({ totalCount: z.int(), edges: z.array(z.object({ node: agentSchema })) }),
})

const concerns = ['WITHDRAW', 'CERTIFY', 'PUBLISH', 'IMPROVE', 'RESTORE'] as const
type Concern = (typeof concerns)[number]
type Limits = { poorBelow: number; minimumRatings: number }

/** What the catalogue and the fleet do not agree on, agent by agent, with what should be done about it. */
export const catalogueReview = skill({
  name: 'catalogue-review',
  configuration: z.strictObject({
    /** A listing with a lower average, of enough ratings, should be improved. */
    poorBelow: z.number().min(1).max(5),
    minimumRatings: z.int().min(1).max(1000),
    first: z.int().min(1).max(50),
  }),
  input: z.strictObject({
    pool: z.string().max(60).optional().describe('Only agents of this pool'),
    concerns: z.array(z.enum(concerns)).max(5).optional().describe('Only proposals of these kinds'),
  }),
  output: z.strictObject({
    examined: z.int().describe('Agents looked at, at most 200'),
    listed: z.int().describe('Of these, in the catalogue'),
    certified: z.int().describe('Of these, with a certificate in force'),
    proposals: z
      .array(
        z.strictObject({
          agent: z.string().describe("The agent's id"),
          action: z.enum(concerns).describe('What should be done'),
          reason: z.string().describe('What was seen'),
        }),
      )
      .describe('The most pressing first'),
    further: z.int().describe('Proposals that are not shown'),
  }),
  async run({ pool, concerns: wanted = [...concerns] }, { first, ...limits }, context) {
    const { agents } = answer.parse(
      await context.graph(
        `query CatalogueReview($filter: AgentFilter) {
          agents(first: 200, filter: $filter) {
            totalCount
            edges { node { id status health certification { status } listing { rating { average count } } } }
          }
        }`,
        { filter: { pool } },
      ),
    )
    const examined = agents.edges.map(({ node }) => node)
    const proposals = examined
      .map((agent) => ({ agent: agent.id, ...proposal(agent, limits) }))
      .filter((one): one is { agent: string; action: Concern; reason: string } =>
        one.action === undefined ? false : wanted.includes(one.action),
      )
      .toSorted((a, b) => concerns.indexOf(a.action) - concerns.indexOf(b.action))
    return {
      examined: examined.length,
      listed: examined.filter(({ listing }) => listing).length,
      certified: examined.filter(isCertified).length,
      proposals: proposals.slice(0, first),
      further: Math.max(0, proposals.length - first),
    }
  },
})

const isCertified = ({ certification }: Agent) => certification?.status === 'CERTIFIED'
const closed = ['SUSPENDED', 'RETIRED']

/** The most pressing thing to do about an agent; nothing where all is well. */
function proposal(
  agent: Agent,
  { poorBelow, minimumRatings }: Limits,
): { action?: Concern; reason?: string } {
  const { status, health, listing, certification } = agent
  const open = ['ACTIVE', 'DEGRADED'].includes(status)
  if (listing && closed.includes(status))
    return { action: 'WITHDRAW', reason: `it is ${status} and still listed` }
  if (open && !isCertified(agent) && !['REQUESTED', 'RUNNING'].includes(certification?.status ?? ''))
    return { action: 'CERTIFY', reason: `its certification is ${certification?.status ?? 'missing'}` }
  if (open && !listing) return { action: 'PUBLISH', reason: 'it is in use and not listed' }
  const { average = null, count = 0 } = listing?.rating ?? {}
  if (average !== null && average < poorBelow && count >= minimumRatings)
    return { action: 'IMPROVE', reason: `${count} users give it ${average.toFixed(1)} stars` }
  if (open && (status === 'DEGRADED' || health === 'UNHEALTHY'))
    return { action: 'RESTORE', reason: `it is ${status} and ${health}` }
  return {}
}
