import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import {
  type Reference,
  referencePattern,
  referencesIn,
  replaceReferences,
  temporalValue,
  timeToLiveSeconds,
} from './reference.ts'
import { skill } from './skill.ts'

const usage = z
  .object({
    calls: z.number(),
    errors: z.number(),
    tokensIn: z.number(),
    tokensOut: z.number(),
    p95LatencyMs: z.number().nullable(),
  })
  .nullable()
const usageFields = 'usage { calls errors tokensIn tokensOut p95LatencyMs }'
const usageText = (of: z.output<typeof usage>) =>
  of &&
  `calls ${of.calls}, errors ${of.errors}, tokens in ${of.tokensIn}, out ${of.tokensOut}` +
    (of.p95LatencyMs === null ? '' : `, p95 ${Math.round(of.p95LatencyMs)} ms`)

const stateOfAgent = z.object({ status: z.string(), health: z.string(), version: z.string() })
const agentInWords = z.object({
  description: z.string(),
  capabilities: z.array(z.object({ name: z.string() })),
})
const workflow = z.object({
  name: z.string(),
  status: z.string(),
  iteration: z.number(),
  progress: z.object({ done: z.number(), failed: z.number(), total: z.number() }),
})

/** What the graph knows about a kind of thing: the field to ask and how its answer reads in a prompt. */
const sources: Record<string, { field: string; selection: string; text(answer: unknown): string | null }> = {
  'STATE:agent': {
    field: 'agent',
    selection: 'status health version',
    text(answer) {
      const { status, health, version } = stateOfAgent.parse(answer)
      return `status ${status}, health ${health}, version ${version}`
    },
  },
  'METRICS:agent': {
    field: 'agent',
    selection: usageFields,
    text: (answer) => usageText(z.object({ usage }).parse(answer).usage),
  },
  'DATA:agent': {
    field: 'agent',
    selection: 'description capabilities { name }',
    text(answer) {
      const { description, capabilities } = agentInWords.parse(answer)
      return `${description} Capabilities: ${capabilities.map(({ name }) => name).join(', ')}.`
    },
  },
  'CONTEXT:workflow': {
    field: 'executionPlan',
    selection: 'name status iteration progress { done failed total }',
    text(answer) {
      const { name, status, iteration, progress } = workflow.parse(answer)
      return `${name}: ${status}, iteration ${iteration}, ${progress.done} of ${progress.total} steps done, ${progress.failed} failed`
    },
  },
}

const copySchema = z.strictObject({
  reference: z.string().max(200).regex(referencePattern).describe('With its braces'),
  value: z.string().max(8000).describe('What it stood for'),
  fetchedAt: z.iso.datetime().describe('When it was asked for'),
})

/** Resolves references from the graph, all that are not cached in one operation, each only once. */
export const liveReferences = skill({
  name: 'live-references',
  configuration: z.strictObject({
    /** More distinct references than these are refused. */
    maxReferences: z.int().min(1).max(50),
  }),
  input: z.strictObject({
    prompt: z
      .string()
      .min(1)
      .max(20_000)
      .describe(
        'With {STATE:agent:id}, {METRICS:agent:id}, {DATA:agent:id}, {CONTEXT:workflow:id} or {TEMPORAL:now}',
      ),
    cache: z.array(copySchema).max(100).optional().describe('As the last answer gave it'),
  }),
  output: z.strictObject({
    prompt: z.string().describe('With what the graph says in place; what it does not know stays as it was'),
    resolved: z
      .array(
        z.strictObject({
          reference: z.string().describe('What was resolved'),
          from: z.enum(['graph', 'cache', 'clock']).describe('Where its value came from'),
          tokens: z.int().describe('Of its value'),
        }),
      )
      .describe('In the order of their first mention'),
    unresolved: z.array(z.string()).describe('What is unknown, or not for this agent to see'),
    tokens: z.int().describe('Of the answered prompt'),
    cache: z.array(copySchema).describe('To send along with the next prompt'),
  }),
  async run({ prompt, cache = [] }, { maxReferences }, context) {
    const references = [...new Map(referencesIn(prompt).map((one) => [one.token, one])).values()]
    if (references.length > maxReferences)
      throw new Error(`prompt: has ${references.length} references, at most ${maxReferences} allowed`)
    const now = context.now()
    const copies = new Map(cache.filter((copy) => isFresh(copy, now)).map((copy) => [copy.reference, copy]))
    const toAsk = references.filter(({ token, type, kind, id }) => {
      return !copies.has(token) && id !== '' && Object.hasOwn(sources, `${type}:${kind}`)
    })
    const answers = toAsk.length > 0 ? await context.graph(...operationFor(toAsk)) : {}

    const values = new Map<string, { value: string; from: 'graph' | 'cache' | 'clock' }>()
    for (const { token, type, kind } of references) {
      const copy = copies.get(token)
      const clock = type === 'TEMPORAL' ? temporalValue(kind, now) : null
      const asked = toAsk.findIndex((one) => one.token === token)
      const answer = asked < 0 ? null : answers[`r${asked}`]
      const told = answer == null ? null : sources[`${type}:${kind}`]!.text(answer)
      if (copy) values.set(token, { value: copy.value, from: 'cache' })
      else if (clock !== null) values.set(token, { value: clock, from: 'clock' })
      else if (told !== null) values.set(token, { value: told.slice(0, 8000), from: 'graph' })
    }

    const resolved = replaceReferences(prompt, (token) => values.get(token)?.value ?? token)
    for (const { token } of toAsk) {
      const one = values.get(token)
      if (one) copies.set(token, { reference: token, value: one.value, fetchedAt: now.toISOString() })
    }
    return {
      prompt: resolved,
      resolved: Array.from(values, ([reference, { value, from }]) => ({
        reference,
        from,
        tokens: countTokens(value),
      })),
      unresolved: references.map(({ token }) => token).filter((token) => !values.has(token)),
      tokens: countTokens(resolved),
      cache: [...copies.values()].slice(-100),
    }
  },
})

function isFresh({ reference, fetchedAt }: z.output<typeof copySchema>, now: Date): boolean {
  const type = referencesIn(reference)[0]?.type ?? 'TEMPORAL'
  const ageMs = now.getTime() - Date.parse(fetchedAt)
  return ageMs >= 0 && ageMs < timeToLiveSeconds[type] * 1000
}

function operationFor(references: readonly Reference[]): [string, Record<string, unknown>] {
  const parameters = references.map((_, index) => `$id${index}: ID!`).join(', ')
  const fields = references.map(({ type, kind }, index) => {
    const { field, selection } = sources[`${type}:${kind}`]!
    return `r${index}: ${field}(id: $id${index}) { ${selection} }`
  })
  return [
    `query Resolve(${parameters}) { ${fields.join(' ')} }`,
    Object.fromEntries(references.map(({ id }, index) => [`id${index}`, id])),
  ]
}
