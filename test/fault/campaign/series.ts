import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './fault.ts'
import { allAnswer } from './faults/pools.ts'
import { openIncidents } from './incidents.ts'
import { type Stage, setStage } from './stage.ts'
import { type Trial, tryFault } from './trial.ts'

export type Series = {
  faults: readonly Fault[]
  seeds: readonly number[]
  kafka: boolean
  policies: 'on' | 'off'
}

const settleMs = 25_000
const open = ['OPEN', 'MITIGATING']

/** One fault after the other, in one world while it is whole; in a new one where a fault has left something behind. */
export async function* runSeries({ faults, seeds, kafka, policies }: Series): AsyncGenerator<Trial> {
  // What starts the world reads its settings there; empty: its own.
  process.env.INCIDENT_POLICIES = policies === 'off' ? 'off' : ''
  const world: { stage: Stage | null } = { stage: null }
  const leave = async () => {
    const left = world.stage
    world.stage = null
    await left?.[Symbol.asyncDispose]()
  }
  /** What keeps it from being looked at at all, as a graph that answers nobody any more, is told, and gets a new world. */
  const tryTwice = async (fault: Fault, seed: number): Promise<Trial> => {
    for (let tries = 1; ; tries++)
      try {
        world.stage ??= await setStage({ kafka })
        return await tryFault(world.stage, fault, seed)
      } catch (error) {
        if (tries === 2) throw error
        console.log(`${fault.kind} ${seed} is tried again in a new world: ${String(error)}`)
        await leave()
      }
  }
  try {
    for (const seed of seeds)
      for (const fault of faults) {
        const why = world.stage && (await whatIsNotWhole(world.stage))
        if (why) {
          console.log(`a new world: ${why}`)
          await leave()
        }
        yield await tryTwice(fault, seed)
      }
  } finally {
    await leave()
  }
}

/** What is still wrong after a while; null where every agent answers and no incident is under way. */
async function whatIsNotWhole(stage: Stage): Promise<string | null> {
  const deadline = Date.now() + settleMs
  for (;;) {
    const why = await wrongIn(stage).catch((error: unknown) => String(error))
    if (why === null || Date.now() > deadline) return why
    await sleep(500)
  }
}

async function wrongIn(stage: Stage): Promise<string | null> {
  const agents = await allAnswer(stage, stage.agents)
  if (!agents.held) return agents.seen
  const incidents = await openIncidents(stage)
  const going = (await incidents.since(0)).find(({ status }) => open.includes(status))
  return going ? `${going.symptom} of ${going.subject} is ${going.status}` : null
}
