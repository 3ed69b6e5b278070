import { createHash, randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { Invocation } from '../../kit/invoke.ts'
import { SchemaError } from '../../kit/json-schema.ts'
import { ThreadGaveUp } from '../../kit/thread.ts'
import type { ExaminedAgent } from '../agent.ts'
import type { Check } from '../store.ts'
import { type Call, type CallOptions, callAgent, isRefusal, reach } from './call.ts'
import { check, type Finding, type Gate, judged } from './gate.ts'
import type { Inputs, ToTry } from './inputs.ts'
import { type Validator, validatorOf } from './schemas.ts'

type Capability = ExaminedAgent['capabilities'][number]

export type FunctionalOptions = CallOptions & {
  /** As `inputsFor` makes them; may throw ThreadGaveUp. */
  inputsOf: (asked: ToTry) => Promise<Inputs>
}
type Exam = Call & Pick<FunctionalOptions, 'inputsOf'>

/**
 * The agent does what its schemas say: examples are answered, requests made from the schema too or refused in due form,
 * what breaks the schema is refused, a message sent twice is answered once. What is made up follows from the agent's id and
 * version, so that a repetition tries the same.
 */
export const functionalGate = (options: FunctionalOptions): Gate => ({
  name: 'functional',
  async evaluate(agent, signal) {
    const reached = await reach(agent, options)
    if ('finding' in reached) return reached.finding
    const { endpoint, bounds } = reached
    return await examine({ ...options, agent, endpoint, bounds: { ...bounds, signal } })
  },
})

async function examine(call: Exam): Promise<Finding> {
  const declared = declaredOf(call.agent.manifest)
  const checks: Check[] = []
  for (const capability of call.agent.capabilities) {
    const exam = await examineCapability(call, capability, declared.get(capability.name))
    checks.push(...exam.checks)
    // Whatever follows would take its whole time as well.
    if (exam.hangs) break
  }
  return judged(checks)
}

const manifest = z.object({
  spec: z.object({
    capabilities: z.array(
      z.object({
        name: z.string(),
        deterministic: z.boolean().optional(),
        examples: z.array(z.object({ output: z.unknown().optional() })).optional(),
      }),
    ),
  }),
})

type Declared = z.output<typeof manifest>['spec']['capabilities'][number]

/** What a manifest says of a capability beyond what the graph tells. */
const declaredOf = (document: unknown): Map<string, Declared> =>
  new Map(manifest.safeParse(document).data?.spec.capabilities.map((each) => [each.name, each]))

type Tried = { input: unknown; came: Invocation }

async function examineCapability(
  call: Exam,
  { name, input, output, examples }: Capability,
  declared: Declared | undefined,
): Promise<{ checks: Check[]; hangs: boolean }> {
  const checks: Check[] = []
  let hangs = false
  const ask = async (inputs: readonly unknown[]): Promise<Tried[]> => {
    const all: Tried[] = []
    for (const each of inputs) {
      if (hangs) break
      const came = await callAgent(call, name, each)
      hangs = came.outcome === 'TIMEOUT'
      all.push({ input: each, came })
    }
    return all
  }
  try {
    const [ofInput, ofOutput] = [validatorOf(input), validatorOf(output)]
    const answered = await ask(examples.map((example) => example.input))
    checks.push(...examplesChecks(name, answered, ofOutput, declared))
    const seed = seedOf(call.agent, name)
    const inputs = await call.inputsOf({ schema: input, seed })
    if ('refused' in inputs) throw new SchemaError(inputs.refused)
    checks.push(fittingCheck(name, await ask(inputs.fitting), ofOutput))
    checks.push(breakingCheck(name, await ask(inputs.breaking), ofInput))
    const first = answered[0]
    if (hangs || first?.came.outcome !== 'OK') return { checks, hangs }
    checks.push(await repeatedCheck(call, name, first.input))
    if (declared?.deterministic) checks.push(await determinedCheck(call, name, first))
  } catch (error) {
    if (!(error instanceof SchemaError || error instanceof ThreadGaveUp)) throw error
    checks.push(check(`${name}: it has schemas to be tried with`, false, error.message))
  }
  return { checks, hangs }
}

/** Why an answer is none that the schema allows, or null. */
const wrongWith = ({ came }: Tried, ofOutput: Validator): string | null =>
  came.outcome === 'OK' ? ofOutput.violation(came.output) : (came.error ?? came.outcome)

function examplesChecks(
  name: string,
  answered: readonly Tried[],
  ofOutput: Validator,
  declared: Declared | undefined,
): Check[] {
  return answered.map((each, at) => {
    const title = `${name}: example ${at + 1} is answered as declared`
    const wrong = wrongWith(each, ofOutput)
    if (wrong !== null) return check(title, false, wrong)
    const expected = declared?.examples?.[at]?.output
    const isOther = expected !== undefined && !isDeepStrictEqual(expected, each.came.output)
    const shown = JSON.stringify(each.came.output)
    return check(title, !isOther, isOther ? `declared ${JSON.stringify(expected)}, answered ${shown}` : shown)
  })
}

function fittingCheck(name: string, all: readonly Tried[], ofOutput: Validator): Check {
  const title = `${name}: requests made from its schema are answered as declared, or refused`
  if (all.length === 0) return check(title, true, 'none could be made from its schema')
  for (const each of all) {
    const wrong = isRefusal(each.came) ? null : wrongWith(each, ofOutput)
    if (wrong !== null) return check(title, false, `${wrong}; asked ${JSON.stringify(each.input)}`)
  }
  const refused = all.filter(({ came }) => isRefusal(came)).length
  return check(title, true, `${all.length - refused} answered, ${refused} refused`)
}

function breakingCheck(name: string, all: readonly Tried[], ofInput: Validator): Check {
  const title = `${name}: requests that break its schema are refused`
  if (all.length === 0) return check(title, true, 'its schema takes whatever was tried')
  const wrong = all.find(({ came }) => !isRefusal(came))
  if (!wrong) return check(title, true, `${all.length} refused`)
  const { input, came } = wrong
  const shown = came.outcome === 'OK' ? `answered ${JSON.stringify(came.output)}` : came.error
  return check(title, false, `${ofInput.violation(input)}: ${shown}; asked ${JSON.stringify(input)}`)
}

async function repeatedCheck(call: Call, name: string, input: unknown): Promise<Check> {
  const key = randomUUID()
  const once = await callAgent(call, name, input, key)
  const twice = await callAgent(call, name, input, key)
  const isSame = once.outcome === twice.outcome && isDeepStrictEqual(once.output, twice.output)
  return check(
    `${name}: a message that comes twice is answered as the first time`,
    isSame,
    isSame ? 'the same' : `${shownOf(once)}, then ${shownOf(twice)}`,
  )
}

async function determinedCheck(call: Call, name: string, { input, came }: Tried): Promise<Check> {
  const again = await callAgent(call, name, input)
  const isSame = again.outcome === came.outcome && isDeepStrictEqual(again.output, came.output)
  return check(
    `${name}: the same request has the same answer, as declared`,
    isSame,
    isSame ? 'the same' : `${shownOf(came)}, then ${shownOf(again)}`,
  )
}

const shownOf = ({ outcome, output, error }: Invocation) =>
  outcome === 'OK' ? JSON.stringify(output) : (error ?? outcome)

/** A whole number that is the same for the same version of the agent. */
const seedOf = ({ id, version }: ExaminedAgent, capability: string): number =>
  createHash('sha256')
    .update(JSON.stringify([id, version, capability]))
    .digest()
    .readInt32BE()
