import { requireFilter, text } from '../kit/arguments.ts'
import { notFound } from '../kit/errors.ts'
import { connection, type Page, pageArgs, places } from '../kit/page.ts'
import { mayBeToldOf, requireOrganization, requireScope } from '../kit/principal.ts'
import { resolvers as catalogPolicy } from './catalog-policy/resolvers.ts'
import { changesResolvers } from './changes/resolvers.ts'
import { discoverAgents } from './discovery/discover.ts'
import { documentReader } from './formats/read.ts'
import { importAgents } from './import.ts'
import { resolvers as incidents } from './incidents/resolvers.ts'
import { notInvocable } from './invocable.ts'
import { invokeAgent } from './invoke.ts'
import { resolvers as memory } from './memory/resolvers.ts'
import { resolvers as offers } from './offers/resolvers.ts'
import { resolvers as orchestrate } from './orchestrate/resolvers.ts'
import { activateAgent, deployAgent, retireAgent, rollbackAgent } from './placement.ts'
import { register } from './register.ts'
import type { Resolvers } from './schema.generated.ts'
import { type AgentRow, agentPage, allPools, type TypeRow } from './store.ts'

const readDocuments = documentReader()
const changes = changesResolvers((document) => readDocuments.one(JSON.stringify(document)))

export const resolvers: Resolvers = {
  Query: {
    ...orchestrate.Query,
    ...incidents.Query,
    ...catalogPolicy.Query,
    ...offers.Query,
    ...changes.Query,
    agent: async (_, { id }, { agents }) => await agents.load(text(id, 'id')),
    async agents(_, { filter, ...args }, { db, agents }) {
      const page = pageArgs(args, { place: places.name })
      const { rows, totalCount } = await agentPage(db, requireFilter(filter), page)
      for (const row of rows) agents.prime(row.id, row)
      return agentConnection(rows, totalCount, page)
    },
    async discoverAgents(_, { query, filter, first }, { db, catalogue }) {
      const page = pageArgs({ first }, { max: 100, default: 10, place: places.none })
      const { found, totalCount } = await discoverAgents(
        db,
        catalogue,
        text(query, 'query', 1_000),
        requireFilter(filter),
        page.first,
      )
      const { edges, ...rest } = connection(found, totalCount, page, ({ score, row }) => [score, row.id])
      return {
        ...rest,
        edges: edges.map(({ cursor, node: { row, score, reasons } }) => ({
          cursor,
          node: row,
          score,
          reasons,
        })),
      }
    },
    agentPools: async (_, _args, { db, pools }) => {
      const rows = await allPools(db)
      for (const row of rows) pools.prime(row.name, row)
      return rows
    },
    agentTypes: () => agentTypes,
  },

  Mutation: {
    ...orchestrate.Mutation,
    ...incidents.Mutation,
    ...offers.Mutation,
    ...memory.Mutation,
    async registerAgent(_, { source }, context) {
      requireScope(context.principal, 'agents:write')
      const id = await register(context, readDocuments.one(source))
      return await requiredAgent(context.agents, id)
    },
    async importAgents(_, { source, visibility }, context) {
      requireScope(context.principal, 'agents:write')
      requireOrganization(context.principal)
      return await importAgents(context, readDocuments, { source, visibility })
    },
    async deployAgent(_, { agentId }, context) {
      await deployAgent(context, text(agentId, 'agentId'))
      return await requiredAgent(context.agents, agentId)
    },
    async rollbackAgent(_, { agentId, from }, context) {
      await rollbackAgent(context, text(agentId, 'agentId'), from ?? undefined)
      return await requiredAgent(context.agents, agentId)
    },
    async activateAgent(_, { agentId }, context) {
      await activateAgent(context, text(agentId, 'agentId'))
      return await requiredAgent(context.agents, agentId)
    },
    async invokeAgent(_, { agentId, capability, input, idempotencyKey }, context) {
      requireScope(context.principal, 'agents:invoke')
      return await invokeAgent(context, {
        agentId: text(agentId, 'agentId'),
        capability: text(capability, 'capability'),
        input,
        idempotencyKey: idempotencyKey ? text(idempotencyKey, 'idempotencyKey') : null,
      })
    },
    async retireAgent(_, { agentId }, context) {
      await retireAgent(context, context.hosting, text(agentId, 'agentId'))
      return await requiredAgent(context.agents, agentId)
    },
  },

  Agent: {
    __resolveReference: async ({ id }, { agents }) => await agents.load(id),
    pool: async ({ pool }, _, { pools }) => (pool === null ? null : await pools.load(pool)),
    capabilities: async ({ id }, _, { capabilities }) => await capabilities.load(id),
    endpoint: ({ id, deployedPool, deployedEndpoint }, _, { endpointInPool }) =>
      deployedEndpoint ?? (deployedPool === null ? null : endpointInPool(deployedPool, id)),
    manifest: async ({ id }, _, { manifests }) => await manifests.load(id),
    async reading({ id }, _, { readings }) {
      const reading = await readings.load(id)
      if (!reading) throw notFound('agent', id)
      return { ...reading, isWhole: reading.notUnderstood.length === 0 }
    },
    async rollouts({ id }, args, { rolloutsOfAgents }) {
      const page = pageArgs(args, { default: 10, place: places.bigint })
      const { rows, totalCount } = await rolloutsOfAgents.load({ id, page })
      return connection(rows, totalCount, page, ({ id: rollout }) => [rollout])
    },
    async versions({ id }, args, { versionsOfAgents }) {
      const page = pageArgs(args, { default: 10, place: places.timeAndName })
      const { rows, totalCount } = await versionsOfAgents.load({ id, page })
      return connection(rows, totalCount, page, (row) => [row.registeredAt.toISOString(), row.version])
    },
    notInvocable: async (agent, _, context) => await notInvocable(agent, context),
  },

  AgentPool: {
    __resolveReference: async ({ name }, { pools }) => await pools.load(name),
    async agents({ name }, { filter, ...args }, { agentsOfPools }) {
      const page = pageArgs(args, { place: places.name })
      const { rows, totalCount } = await agentsOfPools.load({
        id: name,
        page: { ...page, filter: requireFilter(filter) },
      })
      return agentConnection(rows, totalCount, page)
    },
    async replicas({ name }, _, { poolStates }) {
      const state = await poolStates.load(name)
      return state?.replicas.filter((replica) => replica.state === 'SERVING').length ?? null
    },
    desiredReplicas: async ({ name }, _, { poolStates }) => (await poolStates.load(name))?.desired ?? null,
    queueDepth: async ({ name }, _, { poolStates }) => (await poolStates.load(name))?.waiting ?? null,
    async scalings({ name }, args, { scalingsOfPools }) {
      const page = pageArgs(args, { default: 10, place: places.bigint })
      const { rows, totalCount } = await scalingsOfPools.load({ id: name, page })
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
  },

  PoolScaling: { from: ({ replicasBefore }) => replicasBefore, to: ({ replicasAfter }) => replicasAfter },

  AgentTypeDescription: {
    subtypes: async ({ type }, _, { subtypes }) => await subtypes.load(type),
  },

  Invocation: { agent: async ({ agentId }, _, { agents }) => await agents.load(agentId) },

  AgentStatusChange: {
    async __resolveReference(reference, { agents, principal }) {
      const { agentId } = reference
      const agent = await agents.load(agentId)
      if (!agent || ('version' in reference && !mayBeToldOf(principal, agent, reference.version))) return null
      const { status, revision: version, updatedAt: at } = agent
      return { agentId, agent, previous: null, status, version, at }
    },
  },

  VersionChanges: changes.VersionChanges!,
  Category: changes.Category!,

  ExecutionPlan: orchestrate.ExecutionPlan,
  PlanPhase: orchestrate.PlanPhase,
  PlanStep: orchestrate.PlanStep,
  WorkflowSubmission: orchestrate.WorkflowSubmission,
  DeploymentStatus: orchestrate.DeploymentStatus,
  AgentMemory: memory.AgentMemory,
  AgentOffer: offers.AgentOffer!,
  AgentOfferChange: offers.AgentOfferChange!,
  Incident: incidents.Incident,
  IncidentChange: incidents.IncidentChange,
}

const agentConnection = (rows: AgentRow[], totalCount: number, page: Page) =>
  connection(rows, totalCount, page, ({ id }) => [id])

async function requiredAgent(
  agents: { clear(id: string): { load(id: string): Promise<AgentRow | null> } },
  id: string,
): Promise<AgentRow> {
  const agent = await agents.clear(id).load(id)
  if (!agent) throw notFound('agent', id)
  return agent
}

const agentTypes: TypeRow[] = [
  { type: 'ORCHESTRATOR', description: 'Plans and steers the work of others.' },
  { type: 'WORKER', description: 'Does a piece of work.' },
  { type: 'CRITIC', description: 'Examines work and says what is wrong with it.' },
  { type: 'VERIFIER', description: 'Proves that a claim holds.' },
  { type: 'JUDGE', description: 'Decides between alternatives, with reasons.' },
  { type: 'INTEGRATOR', description: 'Joins results and connects systems.' },
  { type: 'TRAINER', description: 'Makes others better from what was observed.' },
  { type: 'GOVERNOR', description: 'Sets and guards limits and policies.' },
  { type: 'TELEMETRY', description: 'Measures and reports.' },
]
