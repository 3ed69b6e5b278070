import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '../bench/child.ts'
import { type History, readHistory } from '../history.ts'
import type { SubscriberOptions, Subscribers } from './subscribers.ts'
import type { WriterOptions, Writers } from './writers.ts'

export type LoadOptions = {
  /** Of its runs; others may not have it. */
  name: string
  databaseUrl: string
  /** Of the gateways. */
  urls: string[]
  keys: number
  subscribers: number
  perSocket: number
  ratePerSecond: number
  restlessMs: number
}

export type Load = AsyncDisposable & {
  /** Of the history's files. */
  folder: string
  /** Resolves when so many commits were acknowledged. */
  committed(atLeast: number): Promise<void>
  /** Ends the writers, waits for the subscribers, and reads what both have noted. */
  end(): Promise<History>
}

const subscriberProcesses = 2
const arrivalMs = 90_000

/** Commits and subscribers in processes of their own; all subscribers have their first result. */
export async function startLoad({ name, databaseUrl, keys: count, ...options }: LoadOptions): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), `community-history-${name}-`))
  const keys = Array.from({ length: count }, (_, index) => `${name}-${index + 1}`)
  const children: { stop(): Promise<void> }[] = []
  const stop = async () => {
    await Promise.all(children.splice(0).map((child) => child.stop()))
  }
  const kept = <C extends { stop(): Promise<void> }>(child: C): C => {
    children.push(child)
    return child
  }
  const startWriters = async (order: WriterOptions) =>
    kept(await startChild<Writers>('../fault/writers.ts', [JSON.stringify(order)]))
  const startSubscribers = async (order: SubscriberOptions) =>
    kept(await startChild<Subscribers>('../fault/subscribers.ts', [JSON.stringify(order)]))
  try {
    const { ratePerSecond, subscribers, ...connecting } = options
    const writers = await startWriters({ databaseUrl, folder, keys, ratePerSecond })
    await writers.ask('prepare')
    const watching = await Promise.all(
      Array.from({ length: subscriberProcesses }, (_, index) =>
        startSubscribers({
          ...connecting,
          name: `${index + 1}`,
          folder,
          keys,
          subscribers: subscribers / subscriberProcesses,
        }),
      ),
    )
    const arrived = async (versions: Record<string, number>) => {
      const answers = await Promise.all(
        watching.map((each) => each.ask('until', { versions, withinMs: arrivalMs })),
      )
      return answers.every(Boolean)
    }
    if (!(await arrived({}))) throw new Error(`not all subscribers got a first result, see ${folder}`)
    await writers.ask('go')
    return {
      folder,
      async committed(atLeast) {
        while ((await writers.ask('committed')) < atLeast) await sleep(100)
      },
      async end() {
        // Who has not arrived in time is found in the history.
        await Promise.all(watching.map((each) => each.ask('settle')))
        await arrived(await writers.ask('stop'))
        await Promise.all(watching.map((each) => each.ask('end')))
        await stop()
        return await readHistory(folder)
      },
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
