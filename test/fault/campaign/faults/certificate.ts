import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Injected } from '../fault.ts'
import type { Stage } from '../stage.ts'

type Certified = { agent: { certification: { status: string; expiresAt: string | null } | null } | null }

const longestMs = 20_000

/** The certificate of an agent that is well is about to end. */
export const certificateExpires: Fault = {
  kind: 'certificate about to expire',
  withinMs: 20_000,
  reach: 'its own',
  async inject(stage, random, name): Promise<Injected> {
    const pool = random.one(Object.keys(stage.world.community.poolUrls))
    const agent = await stage.introduce(name, pool)
    await stage.ask('mutation ($id: ID!) { requestCertification(agentId: $id, level: BRONZE) { id } }', {
      id: agent.id,
    })
    const deadline = Date.now() + longestMs
    while (!(await certified(stage, agent.id, 3_600))) {
      if (Date.now() > deadline)
        throw new Error(`${agent.id} is not certified: ${await reasons(stage, agent.id)}`)
      await sleep(200)
    }
    const leftSeconds = random.whole(25, 60)
    // Who has not heard of the certificate yet would hear of the end that it had at first.
    while (!(await passTime(stage, agent.id, leftSeconds))) {
      if (Date.now() > deadline) throw new Error(`not everybody has heard of the certificate of ${agent.id}`)
      await sleep(200)
    }
    return {
      what: `that of ${agent.id} ends in ${leftSeconds} s`,
      hits: [agent.id],
      // In force, and for more than an hour.
      async objective() {
        const held = await certified(stage, agent.id, 3_600)
        return { held, seen: held ? '' : 'no certificate that lasts' }
      },
      wholeAgainMs: 0,
      async end() {
        await stage.ask('mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agent.id })
      },
    }
  },
}

/**
 * As if so much time had passed that only this is left, wherever somebody has noted when a certificate of a level ends;
 * whether all have who do.
 */
async function passTime({ database }: Stage, id: string, leftSeconds: number): Promise<boolean> {
  const { rows } = await database.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.columns
     where column_name in ('agent_id', 'level', 'expires_at') and table_schema not in ('pg_catalog', 'information_schema')
     group by table_schema, table_name having count(*) = 3`,
  )
  const noted: boolean[] = []
  for (const { name } of rows) {
    const { rowCount } = await database.query(
      `update ${name} set expires_at = now() + $2 * interval '1 second' where agent_id = $1 and expires_at is not null`,
      [id, leftSeconds],
    )
    noted.push(rowCount !== 0)
  }
  return noted.every(Boolean)
}

async function reasons(stage: Stage, id: string): Promise<string> {
  const { agent } = await stage.ask<{ agent: unknown }>(
    'query ($id: ID!) { agent(id: $id) { certification { status reasons expiresAt } } }',
    { id },
  )
  return JSON.stringify(agent)
}

async function certified(stage: Stage, id: string, forSeconds: number): Promise<boolean> {
  const { agent } = await stage.ask<Certified>(
    'query ($id: ID!) { agent(id: $id) { certification { status expiresAt } } }',
    { id },
  )
  const { status, expiresAt } = agent?.certification ?? { status: '', expiresAt: null }
  return status === 'CERTIFIED' && Date.parse(expiresAt ?? '') > Date.now() + forSeconds * 1_000
}
