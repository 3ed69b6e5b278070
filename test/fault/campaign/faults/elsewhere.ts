import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Injected, Look } from '../fault.ts'
import { type Conduct, poison, type ServedAgent } from '../served.ts'
import type { Call, Stage } from '../stage.ts'

type Misconduct = { kind: string; unknown?: true; begin: (served: ServedAgent) => Promise<void> }

/** In which whoever calls an agent that is out of order has to be spared it. */
const withinMs = 10_000
/** After it is well again. */
const backMs = 15_000

const turns = (conduct: Conduct) => async (served: ServedAgent) => {
  served.conduct = conduct
}

const misconducts: Misconduct[] = [
  { kind: 'agent elsewhere dead', begin: (served) => served.leave() },
  { kind: 'agent elsewhere answers errors', begin: turns('errors') },
  { kind: 'agent elsewhere hangs', begin: turns('hangs') },
  { kind: 'agent elsewhere slow', begin: turns({ slowMs: 4_000 }) },
  { kind: 'agent elsewhere wrongly typed', begin: turns('wrong type') },
  { kind: 'agent elsewhere answers hugely', unknown: true, begin: turns('huge') },
  { kind: 'agent elsewhere silently wrong', unknown: true, begin: turns('wrong') },
]

/** An agent of somebody else is out of order for a while; then it is well again, and has to be used again. */
export const outOfOrder: Fault[] = misconducts.map(({ kind, unknown, begin }) => ({
  kind,
  ...(unknown && { unknown }),
  withinMs,
  reach: 'its own',
  async inject(stage, random, name): Promise<Injected> {
    const { agent, served } = await stage.introduceElsewhere(name)
    for (let call = 0; call < 5; call++) await stage.call(agent)
    const lastsMs = random.whole(14_000, 18_000)
    await begin(served)
    const stopping = new AbortController()
    const healing = sleep(lastsMs, undefined, { signal: stopping.signal })
      .catch(() => undefined)
      .then(() => heal(served))
    return {
      what: `${agent.id} for ${lastsMs} ms`,
      hits: [agent.id],
      objective: async (ms) => sparedOrServed(await stage.call(agent), ms < lastsMs + backMs),
      wholeAgainMs: lastsMs + backMs,
      async end() {
        stopping.abort()
        await healing
        await retire(stage, agent.id)
        await served[Symbol.asyncDispose]()
      },
    }
  },
}))

async function heal(served: ServedAgent): Promise<void> {
  served.conduct = 'well'
  await served.comeBack()
}

/** While an agent is out of order its callers are refused at once; no message is lost to it, nobody waits for it. */
function sparedOrServed({ state, ms, why }: Call, mayBeRefused: boolean): Look {
  const held = state === 'OK' || (mayBeRefused && state === 'REFUSED' && ms < 1_500)
  return { held, seen: `${state} ${ms} ms ${why}` }
}

/** A message takes its agent down each time, and whoever sends it does so again. */
export const poisonMessage: Fault = {
  kind: 'poison message',
  withinMs: 15_000,
  reach: 'its own',
  async inject(stage, random, name): Promise<Injected> {
    const { agent, served } = await stage.introduceElsewhere(name)
    await stage.call(agent)
    const everyMs = random.whole(1_500, 2_500)
    const stopping = new AbortController()
    const sending = (async () => {
      while (!stopping.signal.aborted) {
        await stage.call(agent, { input: { a: poison, b: 1 }, withinMs: 2_000, idempotencyKey: name })
        await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    })()
    return {
      what: `to ${agent.id} every ${everyMs} ms`,
      hits: [agent.id],
      // Everybody else is served: the message is kept away, not the agent.
      objective: async () => sparedOrServed(await stage.call(agent), false),
      wholeAgainMs: 0,
      async end() {
        stopping.abort()
        await sending
        await retire(stage, agent.id)
        await served[Symbol.asyncDispose]()
      },
    }
  },
}

const retire = (stage: Stage, id: string) =>
  stage.ask('mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id })
