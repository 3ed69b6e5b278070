import { setTimeout as sleep } from 'node:timers/promises'
import { createBell } from '@community/infra/bell.ts'
import { inTransaction } from '@community/infra/postgres.ts'
import type { Embeddings } from '../../kit/search/embedding.ts'
import { openEmbeddings } from '../../kit/search/open-embeddings.ts'
import { createQueryVectors, type QueryVectors } from '../../kit/search/query-vectors.ts'
import { createSearchIndex, type Entry, type SearchIndex } from '../../kit/search/search-index.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { topic } from '../events.ts'
import { startEmbedding } from './embed.ts'
import { digestOf, entryOf, type Facts, fields, passagesOf } from './entry.ts'
import { databaseTime, entriesOf, revisionsSince, vectorsOf } from './store.ts'

export type Catalogue = {
  index: SearchIndex<Facts>
  queries: QueryVectors
  /** Once all that was there at the start can be found. */
  loaded: Promise<void>
  stop(): Promise<void>
}

// Events say at once what changed; what they fail to say is found by looking.
const lookEveryMs = 5_000
const retryMs = 1_000
// No transaction lives longer, so whatever commits later began at most so long ago.
const overlapMs = 90_000
const batch = 100

/**
 * All agents in memory, for discovery: reads what is there, then follows what changes. Nothing of it is anybody's to see as
 * it is: `discoverAgents` decides that.
 */
export function startCatalogue(
  floor: Floor,
  embeddings: Embeddings = openEmbeddings(floor.config, floor.log),
): Catalogue {
  const { pool, eventLog, log } = floor
  const { provider } = embeddings
  const index = createSearchIndex<Facts>({ fields, dimensions: provider?.dimensions ?? null })
  const stopping = new AbortController()
  const { signal } = stopping
  const bell = createBell()
  const { promise: loaded, resolve: onLoaded } = Promise.withResolvers<void>()
  const embedding =
    provider === null ? null : startEmbedding({ provider, pool, log, signal, onVectors: putAgain })
  let changed = new Set<string>()
  let lastLook: Date | null = null
  let lookedAt = Number.NEGATIVE_INFINITY

  const internally = <T>(fn: Parameters<typeof inTransaction<T>>[2]) =>
    inTransaction(pool, internalSettings, fn)

  /** Those whose revision in the index is not the one in the table. */
  async function look(): Promise<void> {
    const since = lastLook === null ? null : new Date(lastLook.getTime() - overlapMs)
    const { rows, at } = await internally(async (tx) => ({
      at: await databaseTime(tx),
      rows: await revisionsSince(tx, since),
    }))
    for (const { id, revision } of rows) if (index.get(id)?.facts.revision !== revision) changed.add(id)
    lastLook = at
    lookedAt = performance.now()
  }

  async function read(ids: readonly string[]): Promise<void> {
    const entries = (await internally((tx) => entriesOf(tx, ids))).map(entryOf)
    await putAll(entries)
  }

  async function putAgain(ids: readonly string[]): Promise<void> {
    await putAll(ids.flatMap((id) => index.get(id) ?? []))
  }

  /** With the vectors that are there; the others are made. */
  async function putAll(entries: readonly Entry<Facts>[]): Promise<void> {
    const passages = new Map(
      entries.map((entry) => [entry.id, passagesOf(entry).map((text) => ({ text, digest: digestOf(text) }))]),
    )
    const digests = [...passages.values()].flat().map(({ digest }) => digest)
    const vectors =
      provider === null
        ? null
        : await internally((tx) => vectorsOf(tx, provider.model, [...new Set(digests)]))
    for (const entry of entries) {
      // A look that began earlier may come back later.
      if ((index.get(entry.id)?.facts.revision ?? 0) > entry.facts.revision) continue
      const its = passages.get(entry.id) ?? []
      const known = its.map(({ digest }) => vectors?.get(digest))
      index.put(entry, known.every((vector) => vector !== undefined) ? known : null)
      for (const [at, { text, digest }] of its.entries())
        if (known[at] === undefined) embedding?.want(entry.id, digest, text)
    }
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        if (performance.now() - lookedAt >= lookEveryMs) await look()
        const ids = changed.values().take(batch).toArray()
        if (ids.length === 0) {
          onLoaded()
          await bell.wait(lookEveryMs, signal)
          continue
        }
        // What changes again while it is read is read again.
        for (const id of ids) changed.delete(id)
        try {
          await read(ids)
        } catch (error) {
          changed = new Set([...ids, ...changed])
          throw error
        }
      } catch (error) {
        if (signal.aborted) return
        log.error({ err: error }, 'discovery can not follow what changes, and tries again')
        await sleep(retryMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async function listen(): Promise<void> {
    while (!signal.aborted) {
      try {
        const tail = await eventLog.tail({ topics: [topic], from: 'latest', signal }, (records) => {
          for (const { key, headers } of records)
            if (headers.ce_type === 'ossa.agents.AgentStatusChange') changed.add(key)
          bell.ring()
        })
        // What happened before it listened.
        lookedAt = Number.NEGATIVE_INFINITY
        bell.ring()
        await tail.done
      } catch (error) {
        if (signal.aborted) return
        log.warn({ err: error }, 'discovery hears no events for now: it looks every few seconds')
      }
      await sleep(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }

  const running = Promise.all([follow(), listen(), embedding?.done])
  return {
    index,
    queries: createQueryVectors(embeddings, { log }),
    loaded,
    async stop() {
      stopping.abort()
      await running
      await provider?.close()
    },
  }
}
