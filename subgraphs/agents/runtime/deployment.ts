import { z } from 'zod'
import type { Skill } from '../skills/skill.ts'

const schema = z.record(z.string(), z.unknown())

const capability = z.object({
  name: z.string().min(1).max(100),
  description: z.string(),
  skill: z.string(),
  configuration: schema.default({}),
  input: schema,
  output: schema,
  examples: z.array(z.object({ description: z.string(), input: z.unknown() })).default([]),
})

/** What the runtime reads of a manifest. */
const manifest = z.object({
  metadata: z.object({
    name: z.string().min(1),
    version: z.string(),
    description: z.string(),
    namespace: z.string().min(1),
    labels: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    type: z.string(),
    subtype: z.string(),
    visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
    capabilities: z.array(capability).min(1).max(20),
    performance: z.object({ p95LatencyMs: z.number().positive().optional() }).optional(),
  }),
})

const body = z.object({
  deploymentId: z.string().min(1).max(200),
  manifest,
  organizationId: z.string().min(1).max(200).optional(),
})

type Manifest = z.output<typeof manifest>

/** A capability whose skill is here and takes its configuration. */
export type Capability = Omit<z.output<typeof capability>, 'skill' | 'configuration'> & {
  skill: Skill
  configuration: unknown
}

export type Deployment = {
  deploymentId: string
  organizationId: string
  manifest: Manifest
}

/** A manifest that can't be hosted; the message names the field and what was expected. */
export class DeploymentRefused extends Error {}

/** What can be told of a deployment without its skills. Throws DeploymentRefused. */
export function readDeployment(value: unknown): Deployment {
  const { deploymentId, manifest: accepted, organizationId } = parse(body, value, '')
  return {
    deploymentId,
    organizationId: organizationId ?? accepted.metadata.namespace,
    manifest: accepted,
  }
}

/** By name. Throws DeploymentRefused. */
export function capabilitiesOf(
  { manifest: accepted }: Deployment,
  skills: ReadonlyMap<string, Skill>,
): ReadonlyMap<string, Capability> {
  const capabilities = new Map<string, Capability>()
  for (const [index, declared] of accepted.spec.capabilities.entries()) {
    const path = `manifest.spec.capabilities.${index}`
    if (capabilities.has(declared.name))
      throw new DeploymentRefused(`${path}.name: expected a name that no other capability has`)
    const skill = skills.get(declared.skill)
    if (!skill) throw new DeploymentRefused(`${path}.skill: there is no skill ${declared.skill}`)
    const configuration: unknown = parse(skill.configuration, declared.configuration, `${path}.configuration`)
    capabilities.set(declared.name, { ...declared, skill, configuration })
  }
  return capabilities
}

function parse<T extends z.ZodType>(type: T, value: unknown, path: string): z.output<T> {
  const parsed = type.safeParse(value)
  if (parsed.success) return parsed.data
  throw new DeploymentRefused(violationsOf(parsed.error, path))
}

/** As `manifest.spec.visibility: Invalid option: expected one of …`, one for each issue. */
export const violationsOf = (error: z.ZodError, root: string) =>
  error.issues
    .map(({ path, message }) => `${[root, ...path].filter((step) => step !== '').join('.')}: ${message}`)
    .join('; ')
