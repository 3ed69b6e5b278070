import { isDeepStrictEqual } from 'node:util'
import { readConfig } from '@community/infra/config.ts'
import { type EventLog, openEventLog } from '@community/infra/eventlog.ts'
import { type KeyPurpose, openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import pg from 'pg'
import { type Answer, ask } from '../../client.ts'
import { startWorld, type World } from '../../world.ts'
import { digestExample, type Example, elsewhere, pooled, sumExample } from './fleet.ts'
import { type ServedAgent, serveAgent } from './served.ts'

/** What came of a call: OK with the right answer, WRONG with another one, REFUSED before it reached the agent. */
export type Call = { state: 'OK' | 'WRONG' | 'ERROR' | 'REFUSED' | 'LATE'; ms: number; why: string }

type Request = { input?: object; withinMs?: number; idempotencyKey?: string }

export type Agent = { id: string; pool: string | null; example: Example }

/** A world, the agents of a campaign in it, and what a person, an agent or the machine's owner could do to it. */
export type Stage = AsyncDisposable & {
  world: World
  /** Three in each pool, and one elsewhere; they are there before any fault, and after it. */
  agents: readonly Agent[]
  /** As the database's superuser. */
  database: pg.Client
  eventLog: EventLog
  /** Throws what the graph refuses. */
  ask<T>(query: string, variables?: Record<string, unknown>): Promise<T>
  /** With its example, unless told otherwise. */
  call(agent: Agent, request?: Request): Promise<Call>
  /** A new agent, open for use. */
  introduce(id: string, pool: string): Promise<Agent>
  introduceElsewhere(id: string): Promise<{ agent: Agent; served: ServedAgent }>
  register(source: string): Promise<void>
  deploy(id: string): Promise<void>
  pid(process: string): number
  token(purpose: KeyPurpose, audience: string, subject: string): Promise<string>
}

export async function setStage(options: { kafka: boolean }): Promise<Stage> {
  const world = await startWorld({ kafka: options.kafka ? 'required' : 'never' })
  const { graphqlUrl, adminUrl, env, keysDir, processes, poolUrls } = world.community
  const database = new pg.Client({ connectionString: adminUrl })
  // The world may go first.
  database.on('error', () => undefined)
  const eventLog = await openEventLog(readConfig(env), createLog('campaign', 'silent'))
  const token = await world.token()
  const served: ServedAgent[] = []
  const close = async () => {
    await Promise.all(served.map((each) => each[Symbol.asyncDispose]()))
    await eventLog.close()
    await database.end().catch(() => undefined)
    await world.stop()
  }

  const open = async (source: string): Promise<string> => {
    const { registerAgent } = await stage.ask<{ registerAgent: { id: string } }>(
      'mutation ($source: String!) { registerAgent(source: $source) { id } }',
      { source },
    )
    await stage.deploy(registerAgent.id)
    return registerAgent.id
  }

  const stage: Stage = {
    world,
    agents: [],
    database,
    eventLog,
    async ask<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
      const { data, errors } = await ask<T>(graphqlUrl, query, variables, token)
      if (errors || !data) throw new Error(errors?.map(({ message }) => message).join('; ') ?? 'no answer')
      return data
    },
    call: (agent, request = {}) => callAgent(graphqlUrl, token, agent, request),
    async introduce(id, pool) {
      return { id: await open(pooled(id, pool)), pool, example: digestExample }
    },
    async introduceElsewhere(id) {
      const agent = await serveAgent()
      served.push(agent)
      const name = await open(elsewhere(id, agent.url))
      return { agent: { id: name, pool: null, example: sumExample }, served: agent }
    },
    async register(source) {
      await stage.ask('mutation ($source: String!) { registerAgent(source: $source) { id } }', { source })
    },
    async deploy(id) {
      await stage.ask('mutation ($id: ID!) { deployAgent(agentId: $id) { id } }', { id })
      await stage.ask('mutation ($id: ID!) { activateAgent(agentId: $id) { id } }', { id })
    },
    pid(name) {
      const pid = processes.find((each) => each.name === name)?.pid()
      if (pid === undefined) throw new Error(`there is no process ${name}`)
      return pid
    },
    token: async (purpose, audience, subject) =>
      (await openKeys(keysDir, purpose)).sign({}, { audience, subject, ttlSeconds: 60 }),
    [Symbol.asyncDispose]: close,
  }
  try {
    await database.connect()
    const agents: Agent[] = []
    for (const pool of Object.keys(poolUrls))
      for (const number of [1, 2, 3]) agents.push(await stage.introduce(`campaign-${pool}-${number}`, pool))
    agents.push((await stage.introduceElsewhere('campaign-elsewhere')).agent)
    return Object.assign(stage, { agents })
  } catch (error) {
    await close()
    throw error
  }
}

type Invoked = { invokeAgent: { outcome: string; output: unknown; error: string | null } }

const invocation = `mutation ($agentId: ID!, $capability: String!, $input: JSON!, $idempotencyKey: String) {
  invokeAgent(agentId: $agentId, capability: $capability, input: $input, idempotencyKey: $idempotencyKey) {
    outcome output error
  }
}`

async function callAgent(
  url: string,
  token: string,
  { id: agentId, example }: Agent,
  { input = example.input, withinMs = 3_000, idempotencyKey }: Request,
): Promise<Call> {
  const begun = performance.now()
  const late = AbortSignal.timeout(withinMs)
  const told = (state: Call['state'], why: string): Call => ({
    state,
    ms: Math.round(performance.now() - begun),
    why,
  })
  const response = Promise.race([
    ask<Invoked>(url, invocation, { agentId, capability: example.capability, input, idempotencyKey }, token),
    new Promise<null>((resolve) => late.addEventListener('abort', () => resolve(null), { once: true })),
  ])
  try {
    const answer: Answer<Invoked> | null = await response
    if (answer === null) return told('LATE', `no answer in ${withinMs} ms`)
    const [error] = answer.errors ?? []
    if (error) {
      const code = String(error.extensions?.code)
      const refused = ['FORBIDDEN', 'CONFLICT', 'UNAVAILABLE'].includes(code)
      return told(refused ? 'REFUSED' : 'ERROR', `${code}: ${error.message}`)
    }
    const {
      outcome,
      output,
      error: reason,
    } = answer.data?.invokeAgent ?? { outcome: 'ERROR', output: null, error: null }
    if (outcome !== 'OK') return told('ERROR', `${outcome}: ${reason}`)
    return isDeepStrictEqual(output, example.output)
      ? told('OK', '')
      : told('WRONG', 'another answer than it should be')
  } catch (error) {
    return told('ERROR', error instanceof Error ? error.message : String(error))
  }
}
