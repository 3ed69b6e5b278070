import { setTimeout as sleep } from 'node:timers/promises'
import { watchBystanders } from './bystanders.ts'
import type { Fault, Injected, Look } from './fault.ts'
import { type Incidents, openIncidents } from './incidents.ts'
import { seeded } from './seeded.ts'
import type { Stage } from './stage.ts'
import { judge, type Sample, type Verdict } from './verdict.ts'

/** A fault that was injected once, with all that was seen of it. */
export type Trial = {
  kind: string
  unknown: boolean
  seed: number
  what: string
  within: number
  verdict: Verdict
  damage: string[]
  incidents: Awaited<ReturnType<Incidents['since']>>
  /** Incidents about something that the fault has not hit. */
  beside: number
  samples: Sample[]
}

const lookEveryMs = 400
const lookWithinMs = 8_000
/** It has to hold for so long. */
const windowMs = 6_000
/** A person may still be called when the time for mending is over. */
const knownPatienceMs = 3_000
/** For what nothing is prepared for nobody has a time: how long it takes to be noticed at all is what is looked at. */
const unknownPatienceMs = 14_000

export async function tryFault(stage: Stage, fault: Fault, seed: number): Promise<Trial> {
  const { kind, withinMs: within, unknown = false } = fault
  const name = `campaign-${kind.replaceAll(' ', '-')}-${seed}`
  const incidents = await openIncidents(stage)
  const injected = await fault.inject(stage, seeded(kind, seed), name)
  const began = Date.now()
  const bystanders = fault.reach === 'its own' ? watchBystanders(stage, injected) : null
  const samples: Sample[] = []
  const patienceMs = unknown ? unknownPatienceMs : knownPatienceMs
  try {
    while (!isOver(samples, { ...injected, within, patienceMs }, Date.now() - began)) {
      const looked = await look(injected, Date.now() - began)
      samples.push({ at: Date.now() - began, ...looked })
      await sleep(lookEveryMs)
    }
    const damage = (await bystanders?.stop()) ?? []
    // Before the fault is taken away, whose end may be told as well.
    const told = await incidents.since(began)
    const own = told.filter(
      ({ concerns }) => unknown || concerns.some((each) => injected.hits.includes(each)),
    )
    const verdict = judge({ samples, incidents: own, damage, within })
    const beside = told.length - own.length
    return {
      kind,
      unknown,
      seed,
      what: injected.what,
      within,
      verdict,
      damage,
      incidents: told,
      beside,
      samples,
    }
  } finally {
    await bystanders?.stop()
    // What is left behind then shows in the world, and the next fault gets a new one.
    await injected.end().catch((error: unknown) => console.error(`${name}: its end: ${String(error)}`))
  }
}

/** What can't be seen is not as promised. */
async function look(injected: Injected, ms: number): Promise<Look> {
  const late = sleep(lookWithinMs, { held: false, seen: `nothing in ${lookWithinMs} ms` }, { ref: false })
  try {
    return await Promise.race([injected.objective(ms), late])
  } catch (error) {
    return { held: false, seen: error instanceof Error ? error.message : String(error) }
  }
}

type Times = { within: number; wholeAgainMs: number; patienceMs: number }

function isOver(
  samples: readonly Sample[],
  { within, wholeAgainMs, patienceMs }: Times,
  now: number,
): boolean {
  const atLatest = Math.max(within, wholeAgainMs)
  if (now > atLatest + patienceMs + windowMs) return true
  const broke = samples.findLast(({ held }) => !held)
  if (!broke) return now > atLatest
  const restored = samples.find(({ at, held }) => held && at > broke.at)
  return restored ? now > Math.max(restored.at, wholeAgainMs) + windowMs : now > atLatest + patienceMs
}
