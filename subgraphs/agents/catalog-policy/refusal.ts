import { major, minor, prerelease } from 'semver'
import { policyRefusal } from '../../kit/catalog-policy.ts'
import type { Asked } from '../admission.ts'
import type { Installation, Standing } from './standing.ts'

/**
 * Why the organization does not let the call be made in its name, or null. What undoes a step is asked for when the plan is
 * handed in: what was let be done must not stay done because a policy has changed.
 */
export function refusedByOrganization(asked: Asked): string | null {
  if (asked.purpose === 'HEALTH' || asked.purpose === 'COMPENSATION') return null
  return refusalFor(asked.organizationId, asked.agent, asked.standing)
}

/** Why the organization does not let an agent be called, or null. Its own agents are bound by its limits alone. */
export function refusalFor(
  organizationId: string,
  agent: { id: string; organizationId: string },
  { policy, installation, facts, deployedVersion }: Standing,
): string | null {
  if (agent.organizationId === organizationId) return null
  const refusal = policy && policyRefusal(policy, facts)
  if (refusal) return `${organizationId} does not let ${agent.id} be called: ${refusal}`
  if (policy?.installedOnly && installation === null)
    return `${organizationId} lets only what it has installed be called, and ${agent.id} is not: installAgent installs it, or asks for it`
  if (installation === null || deployedVersion === null || lets(installation, deployedVersion)) return null
  const { pinnedVersion, updatePolicy } = installation
  return `${organizationId} has ${agent.id} installed at ${pinnedVersion} (${updatePolicy}), and ${deployedVersion} runs: updateInstallation moves it there, or its owner deploys a version that the installation lets`
}

/**
 * In either direction: an installation moves on when a version is registered, before that one runs. A prerelease is for those
 * that are pinned to one.
 */
function lets({ pinnedVersion, updatePolicy }: Installation, version: string): boolean {
  if (pinnedVersion === null || version === pinnedVersion) return true
  if (updatePolicy === 'PINNED') return false
  if (prerelease(version) && !prerelease(pinnedVersion)) return false
  if (updatePolicy === 'LATEST') return true
  if (major(version) !== major(pinnedVersion)) return false
  return updatePolicy === 'MINOR' || minor(version) === minor(pinnedVersion)
}
