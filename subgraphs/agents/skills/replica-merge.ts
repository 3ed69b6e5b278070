import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { skill } from './skill.ts'
import { sum } from './statistics.ts'

const replicaSchema = z.strictObject({
  replica: z.string().min(1).max(80).describe('Who kept it'),
  updatedAt: z.iso.datetime().describe('When it last changed there'),
  fields: z.record(z.string().max(60), z.unknown()).describe('The record as it stands there'),
})
type Replica = z.output<typeof replicaSchema>

/** One record from replicas that changed apart: per field a last-writer-wins register, a set or a counter (CRDTs). */
export const replicaMerge = skill({
  name: 'replica-merge',
  configuration: z.strictObject({
    /** latest: the newest write. union: a grow-only set. counter: a count per replica, summed. largest: a maximum. */
    fields: z.record(z.string(), z.enum(['latest', 'union', 'counter', 'largest'])),
  }),
  input: z.strictObject({
    replicas: z
      .array(replicaSchema)
      .min(1)
      .max(20)
      .describe('All copies of one record; their order is of no matter'),
  }),
  output: z.strictObject({
    merged: z.record(z.string(), z.unknown()).describe('The record that all replicas should take'),
    conflicts: z
      .array(
        z.strictObject({
          field: z.string().describe('What differed'),
          keptFrom: z.string().describe('Whose value stays'),
          dropped: z.array(z.string()).describe('Whose values go'),
        }),
      )
      .describe('Fields where a value was given up'),
  }),
  run({ replicas }, configuration) {
    // Equal times fall to the replica's name, so that every replica merges to the same.
    const newestFirst = replicas.toSorted(
      (a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt) || (a.replica < b.replica ? -1 : 1),
    )
    const merged: Record<string, unknown> = {}
    const conflicts: { field: string; keptFrom: string; dropped: string[] }[] = []
    for (const [field, kind] of Object.entries(configuration.fields)) {
      const having = newestFirst.filter(({ fields }) => Object.hasOwn(fields, field))
      if (having.length === 0) continue
      merged[field] = merges[kind](having, field)
      const kept = having[0]!
      const dropped = having.filter(({ fields }) => !isDeepStrictEqual(fields[field], kept.fields[field]))
      if (kind === 'latest' && dropped.length > 0)
        conflicts.push({ field, keptFrom: kept.replica, dropped: dropped.map((one) => one.replica) })
    }
    return { merged, conflicts }
  },
})

const merges = {
  latest: (replicas: Replica[], field: string) => replicas[0]!.fields[field],

  union: (replicas: Replica[], field: string) =>
    [
      ...new Set(replicas.flatMap(({ fields }) => z.array(z.string()).max(200).parse(fields[field]))),
    ].toSorted(),

  /** A replica's own count only grows: of two reports by one replica the higher is the later. */
  counter: (replicas: Replica[], field: string) =>
    sum(
      [...Map.groupBy(replicas, ({ replica }) => replica).values()].map((own) => merges.largest(own, field)),
    ),

  largest: (replicas: Replica[], field: string): number =>
    Math.max(...replicas.map(({ fields }) => z.number().parse(fields[field]))),
}
