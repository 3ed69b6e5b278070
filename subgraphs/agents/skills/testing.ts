import type { z } from 'zod'
import type { Skill, SkillContext } from './skill.ts'

/** Runs a skill as the runtime does: what goes in and what comes out is held to its schemas. */
export async function answerOf<C extends z.ZodType, I extends z.ZodType, O extends z.ZodType>(
  skill: Skill<C, I, O>,
  input: z.input<I>,
  configuration: z.input<C>,
  graph: SkillContext['graph'] = () => Promise.reject(new Error('there is no graph')),
): Promise<z.output<O>> {
  const context: SkillContext = {
    agentId: 'agent-under-test',
    graph,
    now: () => new Date('2026-11-23T12:00:00.000Z'),
    signal: AbortSignal.timeout(5000),
  }
  const answer = await skill.run(skill.input.parse(input), skill.configuration.parse(configuration), context)
  return skill.output.parse(answer)
}
