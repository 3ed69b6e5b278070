import { setTimeout as sleep } from 'node:timers/promises'
import { createBell } from '@community/infra/bell.ts'
import type { Log } from '@community/infra/log.ts'
import { inTransaction, type Pool } from '@community/infra/postgres.ts'
import { internalSettings } from '../subgraph.ts'
import type { EmbeddingProvider } from './embedding.ts'
import { claimEmbedding, insertVectors, vectorsOf } from './store.ts'
import { packed } from './vectors.ts'

type Options = {
  provider: EmbeddingProvider
  pool: Pool
  log: Log
  signal: AbortSignal
  /** Vectors that these entries wait for are in the table. */
  onVectors: (ids: readonly string[]) => Promise<void>
}

const batch = 16
const idleMs = 60_000
const busyMs = 250
const retryMs = { first: 1_000, longest: 30_000 }

/** Makes the vectors that are wanted and that the table lacks, in one process at a time, a few texts at a time. */
export function startEmbedding({ provider, pool, log, signal, onVectors }: Options) {
  const wanted = new Map<string, { text: string; ids: Set<string> }>()
  const bell = createBell()

  /** False where another process is at it. */
  async function embedSome(texts: ReadonlyMap<string, string>): Promise<boolean> {
    return await inTransaction(pool, internalSettings, async (tx) => {
      if (!(await claimEmbedding(tx, provider.model))) return false
      const there = await vectorsOf(tx, provider.model, [...texts.keys()])
      const missing = [...texts].filter(([digest]) => !there.has(digest))
      if (missing.length === 0) return true
      const made = await provider.embed(
        missing.map(([, text]) => text),
        'document',
      )
      const vectors = missing.map(([digest], at) => [digest, packed(made[at]!)] as const)
      await insertVectors(tx, provider.model, new Map(vectors))
      return true
    })
  }

  async function run(): Promise<void> {
    let waitMs = retryMs.first
    while (!signal.aborted) {
      const some = wanted.entries().take(batch).toArray()
      if (some.length === 0) {
        await bell.wait(idleMs, signal)
        continue
      }
      try {
        const isDone = await embedSome(new Map(some.map(([digest, { text }]) => [digest, text])))
        if (!isDone) await sleep(busyMs, undefined, { signal }).catch(() => undefined)
        for (const [digest] of some) wanted.delete(digest)
        // They ask again for what is still missing.
        await onVectors([...new Set(some.flatMap(([, { ids }]) => [...ids]))])
        waitMs = retryMs.first
      } catch (error) {
        if (signal.aborted) return
        for (const [digest, each] of some) wanted.set(digest, each)
        log.warn({ err: error, model: provider.model, waitMs }, 'texts could not be embedded: trying again')
        await sleep(waitMs, undefined, { signal }).catch(() => undefined)
        waitMs = Math.min(2 * waitMs, retryMs.longest)
      }
    }
  }

  return {
    want(id: string, digest: string, text: string): void {
      const each = wanted.get(digest) ?? { text, ids: new Set() }
      each.ids.add(id)
      wanted.set(digest, each)
      bell.ring()
    },
    done: run(),
  }
}
