import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from './stage.ts'
import type { Told } from './verdict.ts'

type Incident = {
  id: string
  symptom: string
  subject: { kind: string; id: string }
  agent: { id: string } | null
  pool: { name: string } | null
  status: string
  detectedAt: string
  escalatedAt: string | null
  context: unknown
  policy: string | null
  timeline: { kind: string; text: string; action: string | null; succeeded: boolean | null }[]
}

/** `concerns`: ids of all that it is about. */
type TellingMore = Told & { status: string; policy: string | null; actions: string[]; concerns: string[] }

export type Incidents = {
  /** Those that began after the instant, newest first; none where the community knows no incidents. */
  since(at: number): Promise<TellingMore[]>
}

type Answer = { incidents: { edges: { node: Incident }[] } }

const query = `query { incidents(first: 50) { edges { node {
  id symptom subject { kind id } agent { id } pool { name } status detectedAt escalatedAt context policy timeline { kind text action succeeded }
} } } }`

/** What the community tells of itself, asked as anybody may. */
export async function openIncidents(stage: Stage): Promise<Incidents> {
  const { __type } = await stage.ask<{ __type: { name: string } | null }>(
    '{ __type(name: "Incident") { name } }',
  )
  return {
    async since(at) {
      if (__type === null) return []
      const { incidents } = await whenOpen(() => stage.ask<Answer>(query))
      return incidents.edges
        .map(({ node }) => node)
        .filter(({ detectedAt }) => Date.parse(detectedAt) >= at)
        .map(({ subject, agent, pool, context, detectedAt, escalatedAt, timeline, ...rest }) => ({
          ...rest,
          subject: `${subject.kind} ${subject.id}`,
          concerns: [subject.id, agent?.id, pool?.name].flatMap((each) => each ?? []),
          detected: Date.parse(detectedAt) - at,
          escalated: escalatedAt === null ? null : Date.parse(escalatedAt) - at,
          hasContext: context !== null && Object.keys(Object(context)).length > 0,
          // An action's beginning is an entry too, and its outcome not known then.
          actions: timeline.flatMap(({ action, succeeded }) =>
            action === null || succeeded === null
              ? []
              : [`${action} ${succeeded ? 'helped' : 'did not help'}`],
          ),
        }))
    },
  }
}

const openWithinMs = 10_000

/** A fault may leave the graph closed for a moment. */
async function whenOpen<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + openWithinMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(500)
    }
  }
}
