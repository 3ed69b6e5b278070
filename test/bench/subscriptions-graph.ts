import type { OutgoingEvent } from '@community/infra/eventlog.ts'
import { eventLink } from '../../gateway/testing/graph.ts'
import { composed } from './subgraphs.ts'

export const topic = 'ossa.bench.events.v1'

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key" "@composeDirective"])'

const plans = `${link} ${eventLink}
  type Query { plan(id: ID!): Plan }
  type Subscription {
    moved(planId: ID!, after: String): Move @event(topic: "${topic}", key: "{args.planId}")
  }
  type Move @key(fields: "planId") { planId: ID! version: Int! transition: String note: String plan: Plan! step: Step }
  type Plan @key(fields: "id") { id: ID! status: String! budget: Int progress: Progress! }
  type Progress { done: Int! total: Int! }
  type Step { id: ID! agent: Agent }
  type Agent @key(fields: "id", resolvable: false) { id: ID! }`

const agents = `${link}
  type Query { agent(id: ID!): Agent }
  type Agent @key(fields: "id") { id: ID! name: String }`

export const typeDefs = { plans, agents }

/** A supergraph, one that adds a field to it, and one that takes from it the field that `budgetDocument` asks for. */
export const supergraphs = (urls: Record<keyof typeof typeDefs, string>) => {
  const compose = (definitions: typeof typeDefs) =>
    composed(
      [
        { name: 'plans', typeDefs: definitions.plans, url: urls.plans },
        { name: 'agents', typeDefs: definitions.agents, url: urls.agents },
      ],
      '',
    )
  return {
    first: compose(typeDefs),
    compatible: compose({ plans, agents: agents.replace('name: String', 'name: String pool: String') }),
    incompatible: compose({ plans: plans.replace('budget: Int ', ''), agents }),
  }
}

// The event has all but the agent's name, which the other subgraph is asked for.
const documentOf = (plan: string) => `subscription Moves($planId: ID!) {
  moved(planId: $planId) { version transition note plan { id ${plan} progress { done total } } step { id agent { id name } } }
}`
export const statusDocument = documentOf('status')
export const budgetDocument = documentOf('status budget')

export type Move = { planId: string; version: number }

/** The state of a plan after a move, as its subgraph answers and its event tells. */
export const moveOf = ({ planId, version }: Move, noteBytes: number) => ({
  planId,
  version,
  transition: `T${version}`,
  note: 'n'.repeat(noteBytes),
  plan: {
    __typename: 'Plan',
    id: planId,
    status: 'RUNNING',
    budget: 50_000,
    progress: { done: version, total: 1_000_000 },
  },
  step: { id: `s${version}`, agent: { __typename: 'Agent', id: `a${version}` } },
})

export const eventOf = (move: ReturnType<typeof moveOf>): OutgoingEvent => ({
  key: move.planId,
  headers: { ce_type: 'ossa.bench.Move', ce_aggregateversion: String(move.version) },
  value: JSON.stringify(move),
})
