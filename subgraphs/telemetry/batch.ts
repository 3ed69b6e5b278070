import { z } from 'zod'

const id = z.string().min(1).max(300)
const count = z.number().int().min(0)

/** The value of a record of `ossa.telemetry.usage.v1`. */
export const batch = z.object({
  source: id,
  /** From 1, without a hole as long as the source lives. */
  sequence: z.number().int().min(1),
  samples: z
    .array(
      z.object({
        agentId: id,
        pool: id.nullable(),
        organizationId: id,
        visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
        capability: id,
        caller: id,
        /** In whose name it called; older records tell neither this nor the purpose. */
        callerOrganization: id.nullish(),
        purpose: z.enum(['USE', 'CHECK']).optional(),
        outcome: z.enum(['OK', 'ERROR', 'TIMEOUT']),
        latencyMs: z.number().min(0),
        tokensIn: count,
        tokensOut: count,
        at: z.iso.datetime(),
      }),
    )
    .max(1_000),
})

export type Batch = z.output<typeof batch>
