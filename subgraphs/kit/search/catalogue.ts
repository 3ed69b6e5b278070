import { setTimeout as sleep } from 'node:timers/promises'
import { createBell } from '@community/infra/bell.ts'
import { type Db, inTransaction } from '@community/infra/postgres.ts'
import { type Floor, internalSettings } from '../subgraph.ts'
import type { Field } from './bm25.ts'
import { startEmbedding } from './embed.ts'
import type { FacetCount } from './facets.ts'
import { type KeptAnswers, keepAnswers } from './kept-answers.ts'
import { digestOf, passagesOf } from './passages.ts'
import { createQueryVectors, type QueryVectors } from './query-vectors.ts'
import {
  createSearchIndex,
  type Entry,
  type Matches,
  type SearchIndex,
  type SearchResult,
} from './search-index.ts'
import { databaseTime, vectorsOf } from './store.ts'

/** `revision` grows with every change; null: it is not to be found any more. */
export type Revision = { id: string; revision: number | null }

/** Where documents of one kind come from: tables with `embedding` and `audience` beside them, and events. */
export type Source<Facts extends { revision: number }> = {
  /** In the log. */
  name: string
  /** Those of its entries' texts; the first two are name and description. */
  fields: readonly Field[]
  /** What can be counted of what was found; without them there is nothing to count. */
  facets?: { names: readonly string[]; valuesOf: (facts: Facts) => readonly (string | null)[] }
  /** Events that tell of a change; their key is the entry's id. */
  event: { topic: string; type: string }
  /** All that changed at `since` or later; null: all. */
  revisionsSince(db: Db, since: Date | null): Promise<Revision[]>
  /** In no order; those that are not to be found are left out. */
  entriesById(db: Db, ids: readonly string[]): Promise<Entry<Facts>[]>
}

/** The best of what fits, so many that the next pages are in it as well, and what all of it comes to. */
export type Answer = Pick<SearchResult, 'found' | 'stems' | 'cover'> & {
  totalCount: number
  facets: FacetCount[]
}

export type Catalogue<Facts> = {
  index: SearchIndex<Facts>
  kept: KeptAnswers<Answer>
  keptMatches: KeptAnswers<SearchResult>
  keptAll: KeptAnswers<Matches>
  queries: QueryVectors
  /** Once all that was there at the start can be found. */
  loaded: Promise<void>
  isLoaded(): boolean
  /** Reads those that the index does not have so: who has just changed something finds it. */
  catchUp(revisions: readonly Revision[]): Promise<void>
  stop(): Promise<void>
}

// Events say at once what changed; what they fail to say is found by looking.
const lookEveryMs = 5_000
const retryMs = 1_000
// No transaction lives longer, so whatever commits later began at most so long ago.
const overlapMs = 90_000
const batch = 100

/**
 * All of a source in memory, to be searched: reads what is there, then follows what changes. Nothing of it is anybody's to see
 * as it is: `find` decides that.
 */
export function startCatalogue<Facts extends { revision: number }>(
  { pool, eventLog, log, embeddings: shared }: Floor,
  source: Source<Facts>,
): Catalogue<Facts> {
  const embeddings = shared.open()
  const { provider } = embeddings
  const index = createSearchIndex<Facts>({
    fields: source.fields,
    dimensions: provider?.dimensions ?? null,
    ...(source.facets && { facets: source.facets }),
  })
  const stopping = new AbortController()
  const { signal } = stopping
  const bell = createBell()
  const { promise: loaded, resolve: onLoaded } = Promise.withResolvers<void>()
  const embedding =
    provider === null ? null : startEmbedding({ provider, pool, log, signal, onVectors: putAgain })
  let isLoaded = false
  let changed = new Set<string>()
  let lastLook: Date | null = null
  let lookedAt = Number.NEGATIVE_INFINITY

  const internally = <T>(fn: Parameters<typeof inTransaction<T>>[2]) =>
    inTransaction(pool, internalSettings, fn)

  const isBehind = ({ id, revision }: Revision) => (index.get(id)?.facts.revision ?? null) !== revision

  async function look(): Promise<void> {
    const since = lastLook === null ? null : new Date(lastLook.getTime() - overlapMs)
    const { rows, at } = await internally(async (tx) => ({
      at: await databaseTime(tx),
      rows: await source.revisionsSince(tx, since),
    }))
    for (const row of rows) if (isBehind(row)) changed.add(row.id)
    lastLook = at
    lookedAt = performance.now()
  }

  async function read(ids: readonly string[]): Promise<void> {
    const entries = await internally((tx) => source.entriesById(tx, ids))
    const found = new Set(entries.map(({ id }) => id))
    for (const id of ids) if (!found.has(id)) index.remove(id)
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
          isLoaded = true
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
        log.error({ err: error }, `${source.name} can not follow what changes, and tries again`)
        await sleep(retryMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async function listen(): Promise<void> {
    const { topic, type } = source.event
    while (!signal.aborted) {
      try {
        const tail = await eventLog.tail({ topics: [topic], from: 'latest', signal }, (records) => {
          for (const { key, headers } of records) if (headers.ce_type === type) changed.add(key)
          bell.ring()
        })
        // What happened before it listened.
        lookedAt = Number.NEGATIVE_INFINITY
        bell.ring()
        await tail.done
      } catch (error) {
        if (signal.aborted) return
        log.warn({ err: error }, `${source.name} hears no events for now: it looks every few seconds`)
      }
      await sleep(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }

  const running = Promise.all([follow(), listen(), embedding?.done])
  return {
    index,
    kept: keepAnswers(index.generation),
    // Each has some bytes for each entry.
    keptMatches: keepAnswers(index.generation, 100),
    keptAll: keepAnswers(index.generation, 50),
    queries: createQueryVectors(embeddings, { log }),
    loaded,
    isLoaded: () => isLoaded,
    async catchUp(revisions) {
      const ids = revisions.filter(isBehind).map(({ id }) => id)
      if (ids.length > 0) await read(ids)
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}
