import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { type Child, startChild } from './child.ts'
import { type Contestant, type Gateway, startGateway } from './contestant.ts'
import type { LoadOffers } from './load.ts'
import { type Subgraphs, startSubgraphs } from './subgraphs.ts'

/** What every measurement needs; closing it ends what was started. */
export type Stage = AsyncDisposable & {
  subgraphs: Subgraphs
  load: Child<LoadOffers>
  start(contestant: Contestant): Promise<Gateway>
}

export async function openStage({ tuned }: { tuned: boolean }): Promise<Stage> {
  const { cacheDir } = readConfig()
  const folder = await mkdtemp(join(tmpdir(), 'community-bench-'))
  const running: { stop(): Promise<void> }[] = []
  // What was started ends with this process, however it ends; the folder does not.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

  const subgraphs = await startSubgraphs()
  running.push(subgraphs)
  const load = await startChild<LoadOffers>('load.ts')
  running.push(load)
  const supergraphFile = join(folder, 'supergraph.graphql')
  await writeFile(supergraphFile, subgraphs.supergraph)
  return {
    subgraphs,
    load,
    async start(contestant) {
      const gateway = await startGateway(contestant, { subgraphs, supergraphFile, folder, cacheDir, tuned })
      running.push(gateway)
      return gateway
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((each) => each.stop()))
    },
  }
}
