import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { badInput } from '../../kit/errors.ts'

const measures = [
  'active-agents',
  'certified-agents',
  'listed-agents',
  'healthy-agents',
  'failed-steps',
] as const
export type Measure = (typeof measures)[number]

const label = z.string().regex(/^[a-z0-9][a-z0-9-]*$/i, 'expected letters, digits and hyphens')
const action = z
  .enum(['deploy', 'health', 'certify', 'list', 'activate'])
  .transform((name) => name.toUpperCase() as Action)

const definition = z.strictObject({
  name: label.max(100),
  description: z.string().min(1),
  visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']).default('ORGANIZATION'),
  tokenBudget: z.int().min(0).max(2_000_000_000),
  maxIterations: z.int().min(1).max(100),
  /** Agents that are worked on at once. */
  concurrency: z.int().min(1).max(64).default(8),
  tokensPerCall: z.int().min(1).max(1_000_000).default(1_000),
  phases: z
    .array(
      z.strictObject({
        name: label,
        description: z.string().min(1),
        /** Labels that an agent's manifest must have. */
        select: z
          .record(z.string(), z.string())
          .refine((labels) => Object.keys(labels).length > 0, 'expected a label'),
        actions: z.array(action).min(1).refine(isUnique, 'expected each action once'),
      }),
    )
    .min(1)
    .refine((phases) => isUnique(phases.map(({ name }) => name)), 'expected names that differ'),
  convergence: z
    .array(z.strictObject({ name: z.enum(measures), target: z.number().min(0) }))
    .min(1)
    .refine((criteria) => isUnique(criteria.map(({ name }) => name)), 'expected each criterion once'),
})

export type Action = 'DEPLOY' | 'HEALTH' | 'CERTIFY' | 'LIST' | 'ACTIVATE'
export type PlanDefinition = z.output<typeof definition>

export const definitionsFolder = join(import.meta.dirname, 'definitions')

/** Names of the definitions in the folder. */
export async function definitionNames(folder: string): Promise<string[]> {
  const names = await readdir(folder)
  return names.flatMap((name) => (name.endsWith('.yaml') ? name.slice(0, -'.yaml'.length) : [])).toSorted()
}

/** Throws a ClientError where the file is none, with the line and what was expected there. */
export async function readDefinition(folder: string, name: string): Promise<PlanDefinition> {
  const file = `${name}.yaml`
  const read = parseDefinition(await readFile(join(folder, file), 'utf8'), file)
  if (read.name !== name) throw badInput(`${file}: name: expected ${name}`, 'definition#/name', name)
  return read
}

export function parseDefinition(text: string, file: string): PlanDefinition {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    prettyErrors: false,
  })
  const [error] = document.errors
  if (error)
    throw badInput(
      `${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`,
      'definition',
      'a YAML document',
    )
  const parsed = definition.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  const told = parsed.error.issues.map(({ path, message }) => {
    const steps = path.map(String)
    return `${file}:${lineOf(steps)}: ${steps.join('.')}: ${message}`
  })
  const [first] = parsed.error.issues
  const pointer = first?.path.map((step) => `/${String(step)}`).join('') ?? ''
  throw badInput(told.join('\n'), `definition#${pointer}`, first?.message)

  function lineOf(path: string[]): number {
    for (let depth = path.length; depth > 0; depth--) {
      const node: unknown = document.getIn(path.slice(0, depth), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return 1
  }
}

function isUnique(names: readonly string[]): boolean {
  return new Set(names).size === names.length
}
