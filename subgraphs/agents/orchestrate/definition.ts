import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { badInput } from '../../kit/errors.ts'
import { isPointer } from './reference.ts'
import { type Problem, readSource, refusal, type Source } from './source.ts'

const measures = [
  'active-agents',
  'certified-agents',
  'listed-agents',
  'healthy-agents',
  'failed-steps',
] as const
export type Measure = (typeof measures)[number]

const dayMs = 86_400_000
const maxSteps = 1_000

const label = z.string().regex(/^[a-z0-9][a-z0-9-]*$/i, 'expected letters, digits and hyphens')
export const agentActions = ['deploy', 'health', 'certify', 'list', 'activate'] as const
const action = z.enum(agentActions).transform((name) => name.toUpperCase() as Action)
const text = z.string().min(1).max(1_000)
const capabilityName = z.string().min(1).max(100)
const tokens = z.int().min(1).max(1_000_000)
const budgetStrategy = z.enum(['block', 'queue', 'delegate', 'escalate'])

const labels = z
  .record(z.string(), z.string())
  .refine((found) => Object.keys(found).length > 0, 'expected a label')
  .describe("Labels that an agent's manifest must have.")

const criteria = (of: readonly [Measure, ...Measure[]]) =>
  z
    .array(z.strictObject({ name: z.enum(of), target: z.number().min(0) }))
    .min(1)
    .refine((each) => isUnique(each.map(({ name }) => name)), 'expected each criterion once')

const condition = z.strictObject({
  step: label.describe('A step of this phase or of an earlier one.'),
  is: z
    .enum(['succeeded', 'failed', 'skipped'])
    .default('succeeded')
    .describe('How the step must have ended.'),
  path: z
    .string()
    .refine(isPointer, 'expected a JSON pointer, as /a/b')
    .optional()
    .describe("A place in the step's output; without a comparison it only has to be there."),
  equals: z.unknown().optional().describe('Any JSON value.'),
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
})

const conditions = z.array(condition).min(1).max(10).describe('All of them must hold.')

const named = {
  name: label.max(60).describe('Differs from those of all other steps of the plan.'),
  description: text.optional(),
  dependsOn: z
    .array(label)
    .refine(isUnique, 'expected each step once')
    .default([])
    .describe('Steps of this phase or of earlier ones that must have succeeded.'),
  when: conditions.optional().describe('All must hold, otherwise the step is skipped.'),
}

const repeated = {
  retries: z
    .strictObject({
      attempts: z.int().min(1).max(10).describe('Tries in all, in one iteration.'),
      backoffMs: z.int().min(0).max(3_600_000).default(1_000).describe('Doubled after each try.'),
    })
    .optional(),
}

const input = z
  .unknown()
  .optional()
  .describe("JSON. `{ $from: STEP, path: /a/b }` anywhere in it stands for a value of a step's output.")

const compensate = z
  .strictObject({
    agent: z.string().min(1).max(200).optional().describe("The step's own where none is named."),
    capability: capabilityName,
    input,
  })
  .describe('Asked for when the run fails or is cancelled after the step has succeeded; the last step first.')

const onAgents = {
  agent: z.string().min(1).max(200).optional().describe("An agent's id."),
  select: labels.optional(),
}

const step = z.discriminatedUnion('action', [
  z.strictObject({
    ...named,
    action: z.literal('invoke'),
    ...onAgents,
    capability: capabilityName,
    input,
    ...repeated,
    timeoutMs: z.int().min(1).max(120_000).default(15_000),
    tokens: tokens.optional().describe('Set aside for each message, with its answer.'),
    budgetStrategy: budgetStrategy.optional().describe("The plan's where none is given."),
    compensate: compensate.optional(),
  }),
  z.strictObject({
    ...named,
    action: z.enum(agentActions),
    ...onAgents,
    ...repeated,
    timeoutMs: z.int().min(1).max(600_000).default(150_000),
    compensate: compensate.optional(),
  }),
  z.strictObject({
    ...named,
    action: z.literal('wait'),
    forMs: z
      .int()
      .min(1)
      .max(30 * dayMs),
  }),
  z.strictObject({
    ...named,
    action: z.literal('approve'),
    message: text.describe('What the person is asked.'),
    timeoutMs: z
      .int()
      .min(1)
      .max(30 * dayMs)
      .optional()
      .describe('Nobody has decided by then: the step fails.'),
  }),
  z.strictObject({
    ...named,
    action: z.literal('gate'),
    ...onAgents,
    criteria: criteria(['active-agents', 'certified-agents', 'listed-agents', 'healthy-agents'])
      .optional()
      .describe('Of the agents selected.'),
    expect: conditions.optional().describe('All of them must hold, otherwise the step fails.'),
    ...repeated,
    timeoutMs: z.int().min(1).max(600_000).default(30_000),
  }),
])

const phase = z
  .strictObject({
    name: label,
    description: z.string().min(1),
    select: labels.optional(),
    actions: z
      .array(action)
      .min(1)
      .refine(isUnique, 'expected each action once')
      .optional()
      .describe('Done to each agent selected, one after the other.'),
    steps: z
      .array(step)
      .min(1)
      .max(maxSteps)
      .optional()
      .describe('Instead of select and actions: at once as far as their dependencies allow.'),
  })
  .refine(
    ({ select, actions, steps }) => (steps ? !select && !actions : select && actions),
    'expected either steps, or select and actions',
  )

/** What a plan says. */
export const definition = z.strictObject({
  name: label.max(100),
  description: z.string().min(1),
  visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']).default('ORGANIZATION'),
  tokenBudget: z.int().min(0).max(2_000_000_000),
  maxIterations: z.int().min(1).max(100),
  concurrency: z.int().min(1).max(64).default(8).describe('Agents, or steps, that are worked on at once.'),
  tokensPerCall: tokens.default(1_000).describe('Set aside for a message, with its answer.'),
  budgetStrategy: budgetStrategy
    .default('block')
    .describe(
      'What becomes of a step when what is left of the budget does not cover its message: it fails (block), waits in line (queue), is handed to another agent of the same capability that takes less (delegate), or asks a person for tokens (escalate).',
    ),
  budgetWaitMs: z
    .int()
    .min(1)
    .max(30 * dayMs)
    .default(3_600_000)
    .describe('How long a step waits in line, or for a person to grant tokens; then it fails.'),
  phases: z
    .array(phase)
    .min(1)
    .max(50)
    .refine((phases) => isUnique(phases.map(({ name }) => name)), 'expected names that differ')
    .refine(
      (phases) => phases.reduce((sum, { steps = [] }) => sum + steps.length, 0) <= maxSteps,
      `expected at most ${maxSteps} steps in all`,
    ),
  convergence: criteria(measures),
})

export type Action = 'DEPLOY' | 'HEALTH' | 'CERTIFY' | 'LIST' | 'ACTIVATE'
export type PlanDefinition = z.output<typeof definition>
export type PlanStepDefinition = z.output<typeof step>
export type Condition = z.output<typeof condition>
export type BudgetStrategy = z.output<typeof budgetStrategy>

export const definitionsFolder = join(import.meta.dirname, 'definitions')

/** Names of the definitions in the folder. */
export async function definitionNames(folder: string): Promise<string[]> {
  const names = await readdir(folder)
  return names.flatMap((name) => (name.endsWith('.yaml') ? name.slice(0, -'.yaml'.length) : [])).toSorted()
}

export type Written = { plan: PlanDefinition; source: Source }

/** Throws a ClientError where the file is none, with the line and what was expected there. */
export async function readDefinition(folder: string, name: string): Promise<Written> {
  const file = `${name}.yaml`
  const read = readPlan(await readFile(join(folder, file), 'utf8'), file, 'definition')
  if (read.plan.name !== name) throw badInput(`${file}: name: expected ${name}`, 'definition#/name', name)
  return read
}

/** Throws a ClientError with all that does not fit, each with its line. */
export function readPlan(text: string, file: string, argument: string): Written {
  const source = readSource(text, file, argument)
  const parsed = definition.safeParse(source.value)
  if (!parsed.success) throw refusal(source, parsed.error.issues.flatMap(problemsOf))
  return { plan: parsed.data, source }
}

const problemsOf = (issue: z.core.$ZodIssue): Problem[] => {
  // Each key that is not known has a line of its own.
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: [...issue.path, key].map(String),
      expected: 'nothing of this name',
    }))
  return [{ path: issue.path.map(String), expected: issue.message }]
}

function isUnique(names: readonly string[]): boolean {
  return new Set(names).size === names.length
}
