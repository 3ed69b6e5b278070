import { parse } from 'semver'
import type { UpdatePolicy } from '../schema.generated.ts'

/**
 * Whether an installation of one version goes over by itself to the one that its agent has now. That may be an earlier one: an
 * agent that is rolled back runs no other.
 */
export function follows(policy: UpdatePolicy, pinned: string, now: string): boolean {
  const [from, to] = [parse(pinned), parse(now)]
  if (!from || !to || from.compare(to) === 0 || !isOffered(from, to)) return false
  if (policy === 'LATEST') return true
  if (policy === 'PINNED' || from.major !== to.major) return false
  return policy === 'MINOR' || from.minor === to.minor
}

/** The version that the agent has now, where it is an update of the pinned one. */
export function updateOf(pinned: string, now: string | null): string | null {
  const [from, to] = [parse(pinned), parse(now)]
  return from && to && to.compare(from) > 0 && isOffered(from, to) ? now : null
}

type Version = NonNullable<ReturnType<typeof parse>>

const isOffered = (from: Version, to: Version) => to.prerelease.length === 0 || from.prerelease.length > 0
