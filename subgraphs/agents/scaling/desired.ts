import { holt } from './forecast.ts'
import type { Look } from './look.ts'

/** How many replicas one look wants, and why. */
export type Want = { at: number; replicas: number; reason: string }

export type Decision = { replicas: number; reason: string }

/** A replica shall compute no more than this share of its time. */
const busyShare = 0.7
const forecastSeconds = 5
/** What waits shall be done in. */
const clearSeconds = 5
/** What a call costs is measured over so many looks. */
const costLooks = 30
/** A p95 latency is one that five of a hundred calls exceed. */
const lateShare = 0.05
const leastDeclared = 20
/** Nothing is taken away before it has not been wanted for so long. */
const quietMs = 30_000
const looksForMore = 2

/**
 * The most that one of these asks for: calls expected in five seconds by what a call costs; what waits now; places for runs
 * that wait for others; a declared latency that is not kept. Looks are in the order of time.
 */
export function wantOf(looks: readonly Look[], most: number): Want {
  const last = looks.at(-1)
  if (!last) return { at: 0, replicas: 1, reason: 'nothing is known yet' }
  const wants = [byComputing(looks, last), byPlaces(last), byLatency(looks, last)]
  const [greatest] = wants.toSorted((a, b) => b.replicas - a.replicas) as [Decision]
  return {
    at: last.at,
    replicas: Math.min(most, Math.max(1, greatest.replicas)),
    reason: greatest.replicas > most ? `${greatest.reason}; ${most} is the most` : greatest.reason,
  }
}

/**
 * More at once when two looks in a row want it; one less when nobody has wanted as many for half a minute, nor was anything
 * changed in it. Null: all stays.
 */
export function decide(current: number, wants: readonly Want[], changedAt: number): Decision | null {
  const last = wants.at(-1)
  const latest = wants.slice(-looksForMore)
  if (!last) return null
  const [least] = latest.toSorted((a, b) => a.replicas - b.replicas)
  if (latest.length === looksForMore && least && least.replicas > current)
    return { replicas: least.replicas, reason: least.reason }
  const quietSince = last.at - quietMs
  const isKnown = (wants[0]?.at ?? last.at) <= quietSince && changedAt <= quietSince
  const recent = wants.filter(({ at }) => at >= quietSince)
  if (!isKnown || recent.some(({ replicas }) => replicas >= current)) return null
  return {
    replicas: current - 1,
    reason: `no more than ${Math.max(...recent.map(({ replicas }) => replicas))} wanted for ${quietMs / 1000} s; now ${last.reason}`,
  }
}

function byComputing(looks: readonly Look[], last: Look): Decision {
  const rates = looks.map(({ arrivals, seconds }) => arrivals / seconds)
  const expected = holt(rates, forecastSeconds / last.seconds)
  const busy = last.busySeconds / last.seconds
  const cost = costOf(looks)
  const behind = Math.max(0, last.waiting + last.running - last.replicas)
  // Who has not answered yet has no cost; that it computes shows.
  const load = cost === null ? busy : expected * cost
  const backlog = cost === null ? 0 : (behind * cost) / clearSeconds
  const parts = [
    cost === null
      ? `${figure(busy)} replicas busy`
      : `${figure(expected)} calls/s expected (now ${figure(rates.at(-1) ?? 0)}) of ${figure(cost * 1000)} ms each`,
    ...(backlog > 0 ? [`${behind} in line`] : []),
  ]
  return { replicas: Math.ceil(load / busyShare + backlog), reason: parts.join(', ') }
}

function byPlaces({ waiting, running, places, replicas }: Look): Decision {
  if (waiting === 0 || places === 0) return { replicas: 0, reason: '' }
  return {
    replicas: Math.ceil(((running + waiting) * replicas) / places),
    reason: `${waiting} wait for a place beside ${running} that run`,
  }
}

/** Where nobody computes, more replicas would not help. */
function byLatency(looks: readonly Look[], { declared, late, replicas }: Look): Decision {
  const share = declared === 0 ? 0 : late / declared
  const recent = looks.slice(-looksForMore)
  const isBusy = recent.every((look) => look.busySeconds / look.seconds > look.replicas * 0.5)
  if (declared < leastDeclared || share <= lateShare || !isBusy) return { replicas: 0, reason: '' }
  return {
    replicas: replicas + 1,
    reason: `${figure(share * 100)} % of ${declared} calls took longer than their agents declare`,
  }
}

/** Seconds of computing a call; null where none was answered. */
function costOf(looks: readonly Look[]): number | null {
  const recent = looks.slice(-costLooks)
  const answers = recent.reduce((sum, look) => sum + look.answers, 0)
  return answers === 0 ? null : recent.reduce((sum, { busySeconds }) => sum + busySeconds, 0) / answers
}

const figure = (value: number) =>
  value.toLocaleString('en', { maximumSignificantDigits: 3, useGrouping: false })
