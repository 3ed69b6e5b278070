import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import type { Subgraph } from '../kit/subgraph.ts'
import { type AgentsFloor, prepareFloor } from './context.ts'
import { subgraph } from './index.ts'
import { type AgentPoolServer, type PoolOptions, servePool } from './runtime/edge.ts'

/** Pools in the process of a test, and the subgraph of agents that has them: they are there once it has started. */
export type TestPools = AsyncDisposable & {
  subgraph: Subgraph<AgentsFloor>
  /** By name, as the configuration has them. */
  urls: Readonly<Record<string, string>>
  urlOf(name: string): string
  stop(name: string): Promise<void>
  /** Begins it again where it was, with no agents. */
  restart(name: string): Promise<void>
}

type Options = Pick<PoolOptions, 'startThread' | 'most'> & { names?: readonly string[] }

export function testPools({ names = ['foundation'], ...options }: Options): TestPools {
  // Filled when the keys are there; the floor is made before.
  const urls: Record<string, string> = {}
  const servers = new Map<string, AgentPoolServer>()
  let keysDir = ''

  const start = async (name: string, port: number) => {
    const keys = await openKeys(keysDir, 'internal')
    const log = createLog('test', 'silent')
    const server = await servePool({ ...options, name, host: '127.0.0.1', port, keys, log })
    servers.set(name, server)
    urls[name] = server.url
  }
  const urlOf = (name: string): string => {
    const url = urls[name]
    if (url === undefined) throw new Error(`there is no pool ${name}`)
    return url
  }
  const stop = async (name: string) => await servers.get(name)?.stop()
  return {
    subgraph: {
      ...subgraph,
      prepare: (floor, undo) =>
        prepareFloor({ ...floor, config: { ...floor.config, agentPools: urls } }, undo),
      async start(floor) {
        keysDir = floor.config.keysDir ?? ''
        for (const name of names) await start(name, 0)
        return (await subgraph.start?.(floor)) ?? { stop: async () => undefined }
      },
    },
    urls,
    urlOf,
    stop,
    async restart(name) {
      await stop(name)
      await start(name, Number(new URL(urlOf(name)).port))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(names.map(stop))
    },
  }
}
