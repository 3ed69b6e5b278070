import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { GraphQLFormattedError } from 'graphql'
import type { Principal } from '../guard/verify.ts'
import type { CachePolicy } from '../plan/cache-control.ts'
import type { Fetch } from '../plan/plan.ts'
import { entitySelections } from '../plan/text.ts'
import { createSieve } from '../sieve.ts'
import type { ForwardedHeaders, SubgraphAnswer } from './fetch.ts'
import { type Freshness, freshnessOf, narrower } from './freshness.ts'
import { isObject, own } from './merge.ts'

/** What a fetch asks, apart from how it is sent. */
type Question = {
  fetch: Fetch
  /** For each part the texts of its entities' representations; none where fields of a root type are asked. */
  texts: readonly (readonly string[])[]
  /** JSON members: the values of all other variables. */
  variables: readonly string[]
}

/** Answers from what is kept, and through `send` what is not: it takes the representations to ask for. */
export type AskThrough = (
  question: Question,
  send: (texts: readonly (readonly string[])[]) => Promise<SubgraphAnswer>,
) => Promise<SubgraphAnswer>

/** Whose answers are kept: those who ask with the same principal and headers are one. */
export type Owner = { name: string; isAnonymous: boolean; headers: ForwardedHeaders }

/** How long an answer may be kept by others than the gateway, in the end. */
export type Lifetime = {
  /** On the cache's clock. */
  until: number
  isShared: boolean
}

export type FetchCache = {
  /** For one query; `lifetime` becomes that of all that the query has used. */
  reading(owner: Owner, lifetime: Lifetime): AskThrough
  /** For a mutation: what it wrote to is asked again from then on, also by who began before. */
  writing: AskThrough
  now(): number
}

type Options = {
  maxBytes: number
  /** What the schema allows for a fetch; null where it says nothing. */
  policyOf: (fetch: Fetch) => CachePolicy | null
  /** In milliseconds; it never goes back. */
  now?: () => number
}

/** `text` is the JSON of an entity, or of a whole answer's data. */
type Entry = { text: string; until: number; isShared: boolean }

/** Answers of subgraphs, as long as they allow: entities one by one, whole answers where fields of a root type are asked. */
export function createFetchCache({ maxBytes, policyOf, now = () => performance.now() }: Options): FetchCache {
  const entries = createSieve<Entry>(
    maxBytes,
    undefined,
    ({ text }, key) => 2 * (text.length + key.length) + entryBytes,
  )
  // Of the mutations that have ended: what was asked before one is not found after it.
  const turns = new Map<string, number>()

  const fresh = (key: string): Entry | undefined => {
    const entry = entries.get(key)
    if (!entry || entry.until > now()) return entry
    entries.delete(key)
    return undefined
  }
  const entryOf = ({ shared, owned }: Keys) => fresh(shared) ?? fresh(owned)

  function allowed(fetch: Fetch, owner: Owner, headers: IncomingHttpHeaders | null): Freshness | null {
    const told = headers ? freshnessOf(headers, new Set(Object.keys(owner.headers))) : null
    const policy = policyOf(fetch)
    if (told === null || (told === undefined && policy === null)) return null
    const declared = policy && {
      maxAgeMs: policy.maxAgeS * 1000,
      isPersonal: policy.isPrivate,
      isShared: !policy.isPrivate,
    }
    const freshness = told && declared ? narrower(told, declared) : (told ?? declared)
    if (!freshness || freshness.maxAgeMs <= 0 || freshness.maxAgeMs === Number.POSITIVE_INFINITY) return null
    return freshness.isPersonal && owner.isAnonymous ? null : freshness
  }

  function keep(keys: Keys, value: unknown, until: number, { isShared }: Freshness): void {
    const key = isShared ? keys.shared : keys.owned
    entries.set(key, { text: JSON.stringify(value), until, isShared })
  }

  const reading = (owner: Owner, lifetime: Lifetime): AskThrough => {
    const shorten = (until: number, isShared: boolean) => {
      lifetime.until = Math.min(lifetime.until, until)
      lifetime.isShared &&= isShared
    }

    async function sent(fetch: Fetch, send: () => Promise<SubgraphAnswer>, store: Store) {
      const askedAt = now()
      const answer = await send()
      const freshness = answer.errors.length > 0 ? null : allowed(fetch, owner, answer.headers)
      const until = freshness ? askedAt + freshness.maxAgeMs : Number.NEGATIVE_INFINITY
      shorten(until, freshness?.isShared ?? false)
      if (freshness && answer.data) store(answer.data, until, freshness)
      return answer
    }

    async function whole(question: Question, send: () => Promise<SubgraphAnswer>): Promise<SubgraphAnswer> {
      const { fetch, texts, variables } = question
      const asked = [fetch.text, ...variables, ...texts.flat()].join('\n')
      const keys = keysOf(owner, fetch.subgraph, turns.get(fetch.subgraph) ?? 0, asked)('')
      const known = entryOf(keys)
      if (!known)
        return await sent(fetch, send, (data, until, freshness) => keep(keys, data, until, freshness))
      shorten(known.until, known.isShared)
      return {
        data: JSON.parse(known.text) as SubgraphAnswer['data'],
        errors: [],
        status: 200,
        headers: null,
      }
    }

    return async (question, send) => {
      const { fetch, texts, variables } = question
      const selections = entitySelections(fetch)
      if (!selections) return await whole(question, () => send(texts))
      const turn = turns.get(fetch.subgraph) ?? 0
      const parts = texts.map((representations, index): AskedPart => {
        const keyOf = keysOf(owner, fetch.subgraph, turn, [selections[index], ...variables].join('\n'))
        const keys = representations.map(keyOf)
        const known = keys.map(entryOf)
        for (const entry of known) if (entry) shorten(entry.until, entry.isShared)
        const missing = [...known.keys()].filter((each) => !known[each])
        return { name: fetch.parts[index]?.entities?.key ?? '', representations, keys, known, missing }
      })
      if (parts.every(({ missing }) => missing.length === 0)) return answered(parts, null)
      const rest = parts.map(({ representations, missing }) => missing.map((each) => representations[each]!))
      const answer = await sent(
        fetch,
        () => send(rest),
        (data, until, freshness) => {
          for (const { name, keys, missing } of parts) {
            const entities = own(data, name)
            if (!Array.isArray(entities)) continue
            for (const [place, each] of missing.entries())
              if (isObject(entities[place])) keep(keys[each]!, entities[place], until, freshness)
          }
        },
      )
      return answered(parts, answer)
    }
  }

  return {
    reading,
    now,
    async writing({ fetch, texts }, send) {
      if (fetch.operation !== 'mutation') return await send(texts)
      try {
        return await send(texts)
      } finally {
        turns.set(fetch.subgraph, (turns.get(fetch.subgraph) ?? 0) + 1)
      }
    },
  }
}

/** As the HTTP header says it; null where nothing may be kept. */
export function cacheControlOf({ until, isShared }: Lifetime, now: number): string | null {
  const seconds = Math.floor((until - now) / 1000)
  if (seconds <= 0 || seconds === Number.POSITIVE_INFINITY) return null
  return `max-age=${seconds}, ${isShared ? 'public' : 'private'}`
}

// Tracing tells requests apart and nobody from anybody; the signed principal is another every 30 s.
const tellsNobody = new Set(['traceparent', 'tracestate', 'baggage', 'x-ossa-principal'])

export function ownerOf({ principal, headers }: { principal: Principal; headers: ForwardedHeaders }): Owner {
  const telling = Object.entries(headers).filter(([name]) => !tellsNobody.has(name))
  return {
    name: JSON.stringify([principal, telling]),
    isAnonymous: !principal.verified && telling.length === 0,
    headers,
  }
}

type Store = (data: NonNullable<SubgraphAnswer['data']>, until: number, freshness: Freshness) => void
type Keys = { shared: string; owned: string }
type AskedPart = {
  /** Response name of its entities. */
  name: string
  representations: readonly string[]
  keys: Keys[]
  known: (Entry | undefined)[]
  /** Places of those that are not known. */
  missing: number[]
}

// What a map's entry, its object and its two strings take besides their characters.
const entryBytes = 250

function keysOf(owner: Owner, subgraph: string, turn: number, asked: string): (text: string) => Keys {
  const prefix = (name: string) => hash('sha256', JSON.stringify([subgraph, turn, name, asked]), 'base64')
  const shared = prefix('')
  const owned = prefix(owner.name)
  return (text) => ({ shared: shared + text, owned: owned + text })
}

/** What was kept and what was asked, each in the place of its representation. */
function answered(parts: readonly AskedPart[], answer: SubgraphAnswer | null): SubgraphAnswer {
  const data: Record<string, unknown> = {}
  for (const { name, known, missing } of parts) {
    const entities = known.map((entry) => (entry ? (JSON.parse(entry.text) as unknown) : null))
    const came = answer?.data ? own(answer.data, name) : null
    if (Array.isArray(came))
      for (const [place, each] of missing.entries()) entities[each] = came[place] ?? null
    data[name] = entities
  }
  return {
    data,
    errors: (answer?.errors ?? []).map((error) => replaced(parts, error)),
    status: 200,
    headers: null,
  }
}

function replaced(parts: readonly AskedPart[], error: GraphQLFormattedError): GraphQLFormattedError {
  const [name, place, ...below] = error.path ?? []
  const part = parts.find((each) => each.name === name)
  const index = typeof place === 'number' ? part?.missing[place] : undefined
  return name === undefined || index === undefined ? error : { ...error, path: [name, index, ...below] }
}
