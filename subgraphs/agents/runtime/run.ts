import type { Skill, SkillContext } from '../skills/skill.ts'
import { type Capability, violationsOf } from './deployment.ts'
import type { Schemas } from './schemas.ts'

/** REJECTED: the request is at fault; FAILED: the agent is. */
export type RunResult =
  | { state: 'COMPLETED'; output: unknown }
  | { state: 'REJECTED' | 'FAILED'; reason: string }

/** Input and output are held to what the manifest declares and to what the skill takes and gives. */
export async function runCapability(
  { skill, configuration, ...declared }: Capability,
  input: unknown,
  context: SkillContext,
  schemas: Schemas,
): Promise<RunResult> {
  const wrongInput = schemas.violation(declared.input, input, 'input')
  if (wrongInput !== null) return rejected(wrongInput)
  const accepted = skill.input.safeParse(input)
  if (!accepted.success) return rejected(violationsOf(accepted.error, 'input'))
  const answer = await answerOf(skill, accepted.data, configuration, context)
  if ('reason' in answer) return answer
  const output = skill.output.safeParse(answer.value)
  if (!output.success) return failed(violationsOf(output.error, 'output'))
  const wrongOutput = schemas.violation(declared.output, output.data, 'output')
  return wrongOutput === null ? { state: 'COMPLETED', output: output.data } : failed(wrongOutput)
}

async function answerOf(
  skill: Skill,
  input: unknown,
  configuration: unknown,
  context: SkillContext,
): Promise<{ value: unknown } | { state: 'FAILED'; reason: string }> {
  const { signal } = context
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    return { value: await Promise.race([skill.run(input, configuration, context), aborted.promise]) }
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error))
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

const rejected = (reason: string) => ({ state: 'REJECTED' as const, reason })
const failed = (reason: string) => ({ state: 'FAILED' as const, reason })
