import { hash } from 'node:crypto'
import type { Log } from '@community/infra/log.ts'
import type { OperationRequest } from '../operation.ts'
import { refusal } from '../refusal.ts'
import { createSieve } from '../sieve.ts'
import { type Manifest, openManifest } from './manifest.ts'

/** A request as clients send it: with the document, with an id of one, or with both. */
export type ClientRequest = Omit<OperationRequest, 'query'> & {
  query?: string | undefined
  /** Of the manifest, or the document's SHA-256 in hexadecimal. */
  id?: string | undefined
}

export type PersistedOperations = {
  /** The request with its document. Throws a refusal where it is unknown, or may not run. */
  documentOf(request: ClientRequest): OperationRequest
  /** Has the manifest's operations planned, one after the other; resolves when all are, or newer ones are begun with. */
  planAhead(): Promise<void>
  close(): void
}

type Options = {
  /** Path of the manifest; none where undefined. */
  file: string | undefined
  /** Whether nothing but the manifest's operations may run. */
  only: boolean
  /** Whether clients may register documents by their hash. */
  automatic: boolean
  log: Log
  /** Throws where the operation is not right. */
  plan: (request: OperationRequest) => Promise<void>
}

const registeredBytes = 32 * 1024 * 1024
// As many as are kept planned.
const plannedAhead = 1_000

export async function openPersistedOperations(options: Options): Promise<PersistedOperations> {
  const { file, only, automatic, log, plan } = options
  if (only && file === undefined)
    throw new Error('PERSISTED_OPERATIONS_ONLY without PERSISTED_OPERATIONS: nothing could run')
  let manifest: Manifest = { documents: new Map(), texts: new Set() }
  let begun = 0
  const opened =
    file === undefined
      ? null
      : await openManifest(file, log, (changed) => {
          manifest = changed
          void planAhead()
        })
  if (opened) manifest = opened.manifest
  const registered = createSieve<string>(
    registeredBytes,
    undefined,
    (text, id) => 2 * (text.length + id.length) + 200,
  )

  async function planAhead(): Promise<void> {
    const turn = ++begun
    let failed = 0
    for (const [id, query] of [...manifest.documents].slice(0, plannedAhead)) {
      if (turn !== begun) return
      // Requests go first: parsing and validating is done on their thread.
      await new Promise((resolve) => setImmediate(resolve))
      await plan({ query }).catch((error: unknown) => {
        if (turn !== begun) return
        failed++
        log.warn({ id, reason: reasonOf(error) }, 'a persisted operation can not run')
      })
    }
    if (manifest.documents.size > 0)
      log.info({ operations: manifest.documents.size, failed }, 'persisted operations are planned')
  }

  function textOf({ query, id }: ClientRequest): string {
    if (id === undefined) {
      if (query === undefined) throw refusal('BAD_REQUEST', 'query: expected the document as a string')
      if (only && !manifest.texts.has(query)) throw notListed('the document is not one of the manifest')
      return query
    }
    const listed = manifest.documents.get(id)
    if (listed !== undefined) return same(listed, query)
    if (only) {
      if (query === undefined || !manifest.texts.has(query))
        throw query === undefined ? unlisted(id) : notListed('the document is not one of the manifest')
      return hashed(id, query)
    }
    if (!automatic) throw file === undefined ? notSupported() : unlisted(id)
    const known = registered.get(id)
    if (known !== undefined) return same(known, query)
    if (query === undefined) throw notFound()
    registered.set(id, hashed(id, query))
    return query
  }

  return {
    documentOf: (request) => ({ ...request, query: textOf(request) }),
    planAhead,
    close() {
      begun++
      opened?.close()
    },
  }
}

function same(known: string, query: string | undefined): string {
  if (query !== undefined && query !== known) throw mismatch('the document is another than the one of its id')
  return known
}

function hashed(id: string, query: string): string {
  if (hash('sha256', query) !== id)
    throw mismatch("the id is neither the manifest's nor the document's SHA-256")
  return query
}

// Clients know this message: they send the document with its hash then.
const notFound = () => refusal('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound')
const notSupported = () => refusal('PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported')
const unlisted = (id: string) =>
  refusal(
    'PERSISTED_QUERY_NOT_IN_LIST',
    `the manifest has no operation with the id ${JSON.stringify(id.slice(0, 100))}`,
  )
const notListed = (why: string) =>
  refusal('QUERY_NOT_IN_SAFELIST', `only operations of the manifest may run: ${why}`)
const mismatch = (why: string) => refusal('PERSISTED_QUERY_HASH_MISMATCH', why)

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
