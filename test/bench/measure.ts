import { ask, bodyOf, type Gateway } from './contestant.ts'
import { cpuMs } from './cpu.ts'
import { difference } from './difference.ts'
import type { LoadResult } from './load.ts'
import type { Stage } from './stage.ts'
import type { Subgraphs } from './subgraphs.ts'

/** A gateway that may be measured on a query, since it answers it as the first one does. */
export type Entry = { gateway: Gateway; fetches: number }
export type Sample = LoadResult & { gateway: string; round: number; cpuMs: number }

/** Those whose answer is equal to the first one's; of the others is told what is wrong. */
export async function entriesFor(
  query: string,
  gateways: Gateway[],
  subgraphs: Subgraphs,
): Promise<{ entries: Entry[]; refused: string[]; bytes: number }> {
  const entries: Entry[] = []
  const refused: string[] = []
  let expected: Awaited<ReturnType<typeof ask>> | null = null
  for (const gateway of gateways) {
    try {
      const answer = await ask(gateway, query)
      expected ??= answer
      const differs = difference(answer.data, expected.data)
      if (differs !== null) throw new Error(differs)
      entries.push({ gateway, fetches: await fetchesOf(gateway, query, subgraphs) })
    } catch (error) {
      refused.push(`${gateway.name}: ${(error as Error).message}`)
    }
  }
  return { entries, refused, bytes: Buffer.byteLength(expected?.text ?? '') }
}

async function fetchesOf(gateway: Gateway, query: string, subgraphs: Subgraphs): Promise<number> {
  await subgraphs.count()
  await ask(gateway, query)
  const { fetches, identified } = await subgraphs.count()
  // What tells two requests apart must reach the subgraphs, or a gateway may answer both by one execution.
  if (identified < fetches)
    throw new Error(`${fetches - identified} of its ${fetches} fetches have no identity`)
  return fetches
}

/** `seconds` of load in a round, `warmUpSeconds` before the first. */
type Rounds = { rounds: number; seconds: number; warmUpSeconds: number; connections: number }

/**
 * Round 0 warms up and is left out: what compiles while it runs needs thousands of requests. Each round begins with another
 * gateway.
 */
export async function samplesOf(
  query: string,
  entries: Entry[],
  { load }: Stage,
  { rounds, seconds, warmUpSeconds, connections }: Rounds,
): Promise<Sample[]> {
  const samples: Sample[] = []
  for (let round = 0; round <= rounds; round++)
    for (const { gateway } of rotated(entries, round)) {
      const { pid, url, authorizations, name } = gateway
      const before = cpuMs(pid)
      const result = await load.ask('run', {
        url,
        authorizations,
        bodies: [bodyOf(query)],
        connections,
        seconds: round === 0 ? warmUpSeconds : seconds,
      })
      if (result.failures > 0)
        throw new Error(`${name} failed ${result.failures} of ${result.requests} requests`)
      if (round > 0) samples.push({ ...result, gateway: name, round, cpuMs: cpuMs(pid) - before })
    }
  return samples
}

function rotated<T>(list: T[], by: number): T[] {
  const start = by % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}
