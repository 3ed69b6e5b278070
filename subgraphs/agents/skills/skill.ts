import type { z } from 'zod'

/** What a skill may use beside its input. */
export type SkillContext = {
  agentId: string
  /** Asks the community graph as this agent; rejects with the graph's first error. */
  graph(query: string, variables?: Record<string, unknown>): Promise<Record<string, unknown>>
  now(): Date
  signal: AbortSignal
}

/**
 * Deterministic work behind a capability. An agent's manifest names the skill and its configuration;
 * its declared input and output schemas may be narrower than the skill's own.
 */
export type Skill<
  Configuration extends z.ZodType = z.ZodType,
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> = {
  name: string
  configuration: Configuration
  input: Input
  output: Output
  run(
    input: z.output<Input>,
    configuration: z.output<Configuration>,
    context: SkillContext,
  ): z.input<Output> | Promise<z.input<Output>>
}

export const skill = <C extends z.ZodType, I extends z.ZodType, O extends z.ZodType>(
  definition: Skill<C, I, O>,
): Skill<C, I, O> => definition
