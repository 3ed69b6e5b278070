import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Injected, Look } from '../fault.ts'
import type { Random } from '../seeded.ts'
import type { Agent, Stage } from '../stage.ts'

const poolOf = (stage: Stage, random: Random) => random.one(Object.keys(stage.world.community.poolUrls))
const agentsIn = (stage: Stage, pool: string) => stage.agents.filter((agent) => agent.pool === pool)

/** Every agent answers what it is asked, in three seconds. */
export async function allAnswer(stage: Stage, agents: readonly Agent[]): Promise<Look> {
  const calls = await Promise.all(agents.map((agent) => stage.call(agent)))
  const bad = calls.find(({ state }) => state !== 'OK')
  return { held: !bad, seen: bad ? `${bad.state} ${bad.why}` : '' }
}

const onPool = (stage: Stage, pool: string) => {
  const agents = agentsIn(stage, pool)
  return {
    hits: [pool, ...agents.map(({ id }) => id)],
    objective: () => allAnswer(stage, agents),
    wholeAgainMs: 0,
  }
}

export const poolKilled: Fault = {
  kind: 'pool killed',
  withinMs: 10_000,
  reach: 'its own',
  async inject(stage, random): Promise<Injected> {
    const pool = poolOf(stage, random)
    process.kill(stage.pid(`pool ${pool}`), 'SIGKILL')
    return { what: `SIGKILL to pool ${pool}`, ...onPool(stage, pool), end: async () => undefined }
  },
}

export const poolHung: Fault = {
  kind: 'pool hung',
  withinMs: 15_000,
  reach: 'its own',
  async inject(stage, random): Promise<Injected> {
    const pool = poolOf(stage, random)
    const pid = stage.pid(`pool ${pool}`)
    process.kill(pid, 'SIGSTOP')
    return {
      what: `SIGSTOP to pool ${pool}`,
      ...onPool(stage, pool),
      // A pid that has been given up is not given to another process so soon; the supervisor says whose it is.
      async end() {
        if (stage.pid(`pool ${pool}`) === pid) process.kill(pid, 'SIGCONT')
      },
    }
  },
}

export const poolFlaps: Fault = {
  kind: 'pool dies again and again',
  withinMs: 20_000,
  reach: 'its own',
  async inject(stage, random): Promise<Injected> {
    const pool = poolOf(stage, random)
    const pauseMs = random.whole(1_000, 2_500)
    const deaths = random.whole(3, 4)
    const dying = dieAgain(stage, `pool ${pool}`, deaths, pauseMs)
    return {
      what: `${deaths} times SIGKILL to pool ${pool}, ${pauseMs} ms apart`,
      ...onPool(stage, pool),
      wholeAgainMs: deaths * (pauseMs + 500),
      end: () => dying,
    }
  },
}

async function dieAgain(stage: Stage, name: string, deaths: number, pauseMs: number): Promise<void> {
  let last = 0
  for (let death = 0; death < deaths; death++) {
    const deadline = Date.now() + 6_000
    while (stage.pid(name) === last && Date.now() < deadline) await sleep(50)
    last = stage.pid(name)
    try {
      process.kill(last, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    await sleep(pauseMs)
  }
}

export const poolForgets: Fault = {
  kind: 'pool forgets an agent',
  withinMs: 10_000,
  reach: 'its own',
  async inject(stage, random): Promise<Injected> {
    const pool = poolOf(stage, random)
    const agent = random.one(agentsIn(stage, pool))
    const base = stage.world.community.poolUrls[pool]
    const token = await stage.token('internal', `pool:${pool}`, 'campaign')
    const forget = async () => {
      const { status } = await fetch(`${base}/deployments/${encodeURIComponent(agent.id)}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(5_000),
      })
      if (status !== 204) throw new Error(`pool ${pool} answered ${status}`)
    }
    await forget()
    return {
      what: `DELETE of ${agent.id} at pool ${pool}`,
      hits: [pool, agent.id],
      objective: () => allAnswer(stage, [agent]),
      wholeAgainMs: 0,
      end: async () => undefined,
    }
  },
}
