import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import type { CompiledPlan } from '../execute/compile.ts'
import type { Generation } from '../generation.ts'
import type { Identity, Principal } from '../guard/verify.ts'
import type { Caller, PreparedOperation } from '../operation.ts'
import { cachePolicy } from '../plan/cache-control.ts'
import type { Supergraph } from '../plan/supergraph.ts'
import { refusal } from '../refusal.ts'
import type { Head } from '../serve/http.ts'
import { createShared } from '../shared.ts'
import { type Cursor, type Cursors, operationHash } from './cursor.ts'
import type { Sink, Subscription } from './sink.ts'
import { type Kept, openStream, type Reader, type Stream } from './stream.ts'
import { eventSubject, type Subject, subscriptionField } from './subject.ts'
import type { Topics } from './topics.ts'
import { upstreamSubject } from './upstream-subject.ts'

/** What subscriptions to events need; null where no event log is configured. */
export type LiveRooms = { topics: Topics; cursors: Cursors }

/** Who subscribes, and with what request. */
type Client = Head & { identity: Identity }

/** An operation in the supergraph that is served now. */
type CurrentOperation = { generation: Generation; operation: PreparedOperation }

export type Subscriptions = {
  /** `begin` rejects where it is refused or fails; `fail` tells the sink, unless the client has left. */
  subscribe(
    operation: PreparedOperation,
    client: Client,
    sink: Sink,
  ): {
    subscription: Subscription
    begin: () => Promise<void>
    fail: (errors: readonly GraphQLFormattedError[]) => void
  }
  /** All that run go on in the supergraph that is served now, or are told why they can't. */
  replan(): Promise<void>
}

type Rooms = {
  /** Throws refusals where it is not valid in there any more. */
  inCurrent(operation: PreparedOperation): CurrentOperation
  callerOf(generation: Generation, identity: Identity, head: Head, signal: AbortSignal): Promise<Caller>
  told: (error: unknown) => readonly GraphQLFormattedError[]
  /** Whether subscribers to the same share an execution. */
  share: boolean
  /** In this process. */
  most: number
  kept: Kept
  /** Of open subscriptions. */
  gauge: { inc(): void; dec(): void }
}

export function createSubscriptions(rooms: Rooms): Subscriptions {
  const held = createShared<Promise<Held>>(async (opened) => (await opened).close())
  /** Of subgraphs' own subscriptions those of which nothing has come yet: who joins later would miss their beginning. */
  const joinable = new Map<string, string>()
  let count = 0
  let made = 0

  function nameToJoin(shared: string): string {
    const name = (rooms.share && joinable.get(shared)) || `${++made} ${shared}`
    if (rooms.share) joinable.set(shared, name)
    return name
  }

  /** Joins the stream that the operation and who asks for it share with others. */
  async function join(
    asked: PreparedOperation,
    client: Client,
    sink: Sink,
    from: 'after' | 'RESYNC',
    isOver: () => boolean,
  ): Promise<Joined | null> {
    const current = rooms.inCurrent(asked)
    const { generation, operation } = current
    const field = subscriptionField(generation.supergraph, operation)
    const caller = await rooms.callerOf(generation, client.identity, client, never)
    const { headers, labels } = caller
    const isOwn = !rooms.share || isPersonal(generation.supergraph, await operation.for(caller).plan())
    const identity = isOwn ? client.identity : withoutSubject(client.identity)
    const scope = scopeOf(identity.principal)
    const hash = operationHash(operation, field.name, field.args)
    const { after } = field.args
    const cursor =
      from === 'after' && typeof after === 'string'
        ? await openCursor(generation, field.binding?.topic, after, `${hash} ${scope}`)
        : null
    const { subject } = identity.principal
    const shared = JSON.stringify([hash, scope, subject, [...labels], comparable(headers)])
    if (isOver()) return null
    const name = rooms.share && field.binding ? shared : nameToJoin(shared)
    const begun = () => {
      if (joinable.get(shared) === name) joinable.delete(shared)
    }
    const { value, release } = held.take(name, () =>
      hold(rooms, current, { identity, isOwn, head: client, labels, cursorFor: `${hash} ${scope}`, begun }),
    )
    try {
      const { stream } = await value
      if (!isOver())
        return { reader: stream.join(sink, cursor ?? (from === 'RESYNC' ? from : 'SNAPSHOT')), release }
    } catch (error) {
      await release().catch(() => undefined)
      throw error
    }
    await release()
    return null
  }

  function subscribe(operation: PreparedOperation, client: Client, sink: Sink) {
    let joined: Joined | null = null
    let isOver = false
    // A socket's own changes with its token.
    let who = { ...client }
    /** Grows with each token, so that what is on its way for an older one is let go. */
    let turn = 0

    const leave = () => {
      joined?.reader.leave()
      joined?.release().catch(() => undefined)
      joined = null
    }
    const over = () => {
      if (isOver) return
      isOver = true
      leave()
      count--
      rooms.gauge.dec()
    }
    const guarded: Sink = {
      ...sink,
      end(errors) {
        if (isOver) return
        over()
        sink.end(errors)
      },
    }

    async function begin(from: 'after' | 'RESYNC'): Promise<void> {
      if (from === 'after' && count > rooms.most) throw tooMany(rooms.most)
      const own = ++turn
      const found = await join(operation, who, guarded, from, () => isOver || own !== turn).catch((error) => {
        // Who has left, or has shown another token since, need not be told.
        if (isOver || own !== turn) return null
        throw error
      })
      if (found && !isOver && own === turn) joined = found
      else if (found) {
        found.reader.leave()
        await found.release()
      }
    }

    count++
    rooms.gauge.inc()
    const subscription: Subscription = {
      resume: () => joined?.reader.resume(),
      permit(identity) {
        const before = who.identity.principal
        who = { ...who, identity }
        if (isOver || sameRights(before, identity.principal)) return
        leave()
        begin('RESYNC').catch((error: unknown) => guarded.end(rooms.told(error)))
      },
      close: over,
    }
    return {
      subscription,
      begin: () => begin('after'),
      fail: (errors: readonly GraphQLFormattedError[]) => guarded.end(errors),
    }
  }

  return {
    subscribe,
    async replan() {
      await Promise.all(
        [...held.open()].map(async ([, opened]) => {
          // Who opened it is told if it could not be.
          const one = await opened.catch(() => null)
          await one?.replan()
        }),
      )
    },
  }
}

type Joined = { reader: Reader; release: () => Promise<void> }

/** A stream, and the supergraph in which it is planned. */
type Held = { stream: Stream; replan(): Promise<void>; close(): void }

/** Those for whom a stream is executed. */
type Audience = {
  identity: Identity
  /** One subscriber's alone. */
  isOwn: boolean
  head: Head
  labels: ReadonlySet<string>
  /** What its cursors are good for. */
  cursorFor: string
  /** Something has come, or nothing will. */
  begun: () => void
}

async function hold(rooms: Rooms, begun: CurrentOperation, audience: Audience): Promise<Held> {
  const closed = new AbortController()
  let current = begun
  let leave = current.generation.enter()
  const subjectNow = (each: CurrentOperation) => subjectOf(rooms, each, audience, closed.signal)
  let stream: Stream
  try {
    stream = openStream({
      subject: await subjectNow(current),
      told: rooms.told,
      kept: rooms.kept,
      seal(subject, version, positions) {
        const { live } = current.generation
        if (!live || subject.topic === null) throw new Error('a cursor without an event log')
        return live.cursors.seal({
          topic: subject.topic,
          positions,
          version,
          operation: audience.cursorFor,
        })
      },
    })
  } catch (error) {
    audience.begun()
    leave()
    throw error
  }

  async function replanOnce(): Promise<void> {
    try {
      const next = rooms.inCurrent(current.operation)
      if (next.generation === current.generation || closed.signal.aborted) return
      const entered = next.generation.enter()
      try {
        const subject = await subjectNow(next)
        if (closed.signal.aborted) return entered()
        stream.replace(subject)
      } catch (error) {
        entered()
        throw error
      }
      leave()
      leave = entered
      current = next
    } catch (error) {
      stream.end(rooms.told(error).map(schemaChanged))
    }
  }

  let replanned: Promise<void> = Promise.resolve()
  const held: Held = {
    stream,
    // One after the other: of two at once, the older could end last.
    replan() {
      replanned = replanned.then(replanOnce)
      return replanned
    },
    close() {
      audience.begun()
      closed.abort(new Error('the subscription is over'))
      stream.close()
      leave()
    },
  }
  // Another supergraph may have come meanwhile.
  await held.replan()
  return held
}

async function subjectOf(
  rooms: Rooms,
  { generation, operation }: CurrentOperation,
  { identity, isOwn, head, labels, begun }: Audience,
  signal: AbortSignal,
): Promise<Subject> {
  const { supergraph, operations, live, upstreams } = generation
  const caller = async (): Promise<Caller> => {
    const { headers, ...found } = await rooms.callerOf(generation, identity, head, signal)
    return { ...found, labels, headers: withoutTrace(headers) }
  }
  const field = subscriptionField(supergraph, operation)
  if (field.binding && !live)
    throw refusal('NO_EVENT_LOG', 'this gateway runs without an event log: there is nothing to subscribe to')
  const permitted = operation.for(await caller())
  const plan = await permitted.plan()
  const { primary } = plan
  if (!primary) throw new AggregateError(permitted.errors.map(unauthorized))
  if (!isOwn && isPersonal(supergraph, plan))
    throw refusal('BAD_USER_INPUT', 'its results are for one subscriber alone: subscribe again')
  const planned = { operation, plan: { ...plan, primary }, denials: permitted.errors }
  if (field.binding && live) {
    const { topics } = live
    return eventSubject(
      { supergraph, operations, topics, caller, fault: rooms.told, ...planned },
      field,
      field.binding,
    )
  }
  return upstreamSubject({ upstreams, operations, caller, signal, begun }, planned)
}

async function openCursor(
  { live }: Generation,
  topic: string | undefined,
  text: string,
  operation: string,
): Promise<Cursor | null> {
  if (!live || topic === undefined) return null
  return await live.cursors.open(text, { topic, operation })
}

const never = new AbortController().signal

/** An execution that is shared is nobody's own. */
const withoutSubject = ({ principal, expiresAt }: Identity): Identity => ({
  principal: principal.verified ? { ...principal, subject: 'subscribers' } : principal,
  expiresAt,
})

/** Whether it selects what `@cacheControl` says to be PRIVATE: an answer for one subject only. */
function isPersonal({ cacheHints, full }: Supergraph, { primary, fetches }: CompiledPlan): boolean {
  if (!cacheHints) return false
  const texts = [primary, ...fetches.map(({ fetch }) => fetch)].flatMap((fetch) => fetch?.text ?? [])
  return texts.some((text) => cachePolicy(cacheHints, full, text).isPrivate)
}

/** All that decides what may be seen, but for the subject. */
const scopeOf = ({ organization, scopes, policies, verified }: Principal): string =>
  JSON.stringify([verified, organization, scopes.toSorted(), policies.toSorted()])

const sameRights = (one: Principal, other: Principal): boolean => scopeOf(one) === scopeOf(other)

function withoutTrace({ traceparent: _parent, tracestate: _state, ...headers }: Caller['headers']) {
  return headers
}

/** The headers that tell subscribers apart: the signed one says who they are, which is compared by itself. */
function comparable(headers: Caller['headers']): [string, unknown][] {
  const { 'x-ossa-principal': _signed, ...others } = withoutTrace(headers)
  return Object.entries(others).toSorted(([one], [other]) => (one < other ? -1 : 1))
}

const unauthorized = ({ message, path, extensions }: GraphQLFormattedError) =>
  new GraphQLError(message, { path: path ?? null, extensions: extensions ?? null })

const schemaChanged = ({ message, extensions }: GraphQLFormattedError): GraphQLFormattedError => ({
  message: `the schema has changed: ${message}`,
  extensions: { ...extensions, code: 'SCHEMA_CHANGED' },
})

const tooMany = (allowed: number) =>
  refusal('OVERLOADED', `this gateway has ${allowed} subscriptions already: ask another instance`, {
    limit: 'subscriptions',
    allowed,
  })
