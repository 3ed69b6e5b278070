import { requireFilter, text } from '../../kit/arguments.ts'
import { conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { requireOrganization, requireScope } from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import type { Resolvers } from '../schema.generated.ts'
import { record } from './record.ts'
import { release } from './release.ts'
import { incidentPage, incidentsById } from './store.ts'

export const resolvers = {
  Query: {
    incident: async (_, { id }, { incidents }) => await incidents.load(text(id, 'id')),
    async incidents(_, { filter, ...args }, { db, incidents }) {
      const page = pageArgs(args, { default: 20, place: places.bigint })
      const { rows, totalCount } = await incidentPage(db, requireFilter(filter), page)
      for (const row of rows) incidents.prime(row.id, row)
      return connection(rows, totalCount, page, ({ sequence }) => [sequence])
    },
  },

  Mutation: {
    async resolveIncident(_, { id, comment }, { principal, mutate, incidents }) {
      requireScope(principal, 'agents:deploy')
      requireOrganization(principal)
      if (principal.subject.startsWith('agent:')) throw forbidden('this is for a person to decide')
      const incident = await incidents.load(text(id, 'id'))
      if (!incident) throw notFound('incident', id)
      const said = comment ? `: ${text(comment, 'comment', 1_000)}` : ''
      await mutate((tx) =>
        internally(tx, async () => {
          await tx.query('select from incident where id = $1 for update', [id])
          const [current] = await incidentsById(tx, [id])
          if (!current || current.status === 'RESOLVED') throw conflict(`${id} is RESOLVED`)
          await release(tx, id)
          const at = new Date()
          const text = `closed by ${principal.subject}${said}`
          await record(tx, current, { kind: 'RESOLVED', text }, { status: 'RESOLVED', resolvedAt: at }, at)
        }),
      )
      const closed = await incidents.clear(id).load(id)
      if (!closed) throw notFound('incident', id)
      return closed
    },
  },

  Incident: {
    __resolveReference: async ({ id }, { incidents }) => await incidents.load(id),
    subject: ({ subjectKind: kind, subjectId: id }) => ({ kind, id }),
    agent: async ({ agentId }, _, { agents }) => (agentId === null ? null : await agents.load(agentId)),
    pool: async ({ pool }, _, { pools }) => (pool === null ? null : await pools.load(pool)),
    timeline: async ({ id }, _, { timelines }) => await timelines.load(id),
  },

  IncidentChange: {
    async __resolveReference({ incidentId }, { incidents, timelines }) {
      const incident = await incidents.load(incidentId)
      const entry = (await timelines.load(incidentId)).at(-1)
      if (!incident || !entry) return null
      return { incidentId, incident, entry, version: incident.version, at: incident.updatedAt }
    },
  },
} satisfies Resolvers
