import { assertCompositionSuccess, composeServices } from '@theguild/federation-composition'
import { parse } from 'graphql'
import { startChild } from './child.ts'
import { link, shop } from './shop.ts'
import type { Call, Count, SubgraphOffers } from './subgraph.ts'

export type Subgraphs = {
  /** By name. */
  services: Record<string, { url: string; typeDefs: string }>
  supergraph: string
  /** Since the last time. */
  count(): Promise<Count>
  /** The calls that `work` led to, in steps: those of one step were under way at the same time. */
  record(work: () => Promise<unknown>): Promise<Pick<Call, 'url' | 'body'>[][]>
  stop(): Promise<void>
}

/** Starts a process for each subgraph of the shop. */
export async function startSubgraphs(): Promise<Subgraphs> {
  const started = await Promise.all(
    Object.entries(shop).map(async ([name, { typeDefs }]) => {
      const child = await startChild<SubgraphOffers>('subgraph.ts', [name])
      return { name, typeDefs, child, url: await child.ask('url') }
    }),
  )
  const children = started.map(({ child }) => child)
  return {
    services: Object.fromEntries(started.map(({ name, url, typeDefs }) => [name, { url, typeDefs }])),
    supergraph: composed(started),
    async count() {
      const counts = await Promise.all(children.map((child) => child.ask('count')))
      return {
        fetches: sum(counts.map(({ fetches }) => fetches)),
        identified: sum(counts.map(({ identified }) => identified)),
      }
    },
    async record(work) {
      await Promise.all(children.map((child) => child.ask('startRecording')))
      await work()
      const calls = await Promise.all(children.map((child) => child.ask('recording')))
      return inSteps(calls.flat())
    },
    async stop() {
      await Promise.all(children.map((child) => child.stop()))
    },
  }
}

/** `imported`: the schema's link to federation. */
export function composed(
  services: { name: string; typeDefs: string; url: string }[],
  imported: string = link,
): string {
  const composition = composeServices(
    services.map(({ name, typeDefs, url }) => ({ name, typeDefs: parse(imported + typeDefs), url })),
  )
  assertCompositionSuccess(composition)
  return composition.supergraphSdl
}

function inSteps(calls: Call[]): Pick<Call, 'url' | 'body'>[][] {
  const steps: Call[][] = []
  for (const call of calls.toSorted((a, b) => a.from - b.from)) {
    const step = steps.at(-1)
    if (step?.every(({ to }) => call.from < to)) step.push(call)
    else steps.push([call])
  }
  return steps.map((step) => step.map(({ url, body }) => ({ url, body })))
}

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0)
