import { GraphQLError, type GraphQLFormattedError, getArgumentValues, isObjectType } from 'graphql'
import { fieldCollector } from '../execute/collect.ts'
import type { CompiledPlan } from '../execute/compile.ts'
import { fetchEntities } from '../execute/execute.ts'
import { type JsonObject, own } from '../execute/merge.ts'
import type { Answer, Caller, Operations, PreparedOperation } from '../operation.ts'
import { type EntitySource, type EventBinding, entitySource, isMadeOf, versionKey } from '../plan/event.ts'
import type { Supergraph } from '../plan/supergraph.ts'
import { refusal } from '../refusal.ts'
import { createBuffer } from './buffer.ts'
import { type Cursor, type Cursors, operationHash } from './cursor.ts'
import { readEvent } from './delta.ts'
import type { Address, StreamEvent, Topics } from './topics.ts'

/** Throws refusals. The caller is asked for again and again, as its headers grow old. */
export type Subscribe = (
  operation: PreparedOperation,
  caller: () => Promise<Caller>,
) => Promise<AsyncGenerator<Answer, void, void>>

/** What a subscription needs beyond what queries need; null where no event log is configured. */
export type LiveRooms = { topics: Topics; cursors: Cursors }

type Rooms = {
  supergraph: Supergraph
  operations: Operations
  live: LiveRooms | null
  /** Of open subscriptions. */
  gauge: { inc(): void; dec(): void }
}

const bufferedEvents = 1_000
const replayedEvents = 10_000
const replayDeadlineMs = 30_000

export function createSubscribe({ supergraph, operations, live, gauge }: Rooms): Subscribe {
  return async (operation, caller) => {
    const { binding, args, key } = boundField(supergraph, operation)
    if (!live)
      throw refusal(
        'NO_EVENT_LOG',
        'this gateway runs without an event log: there is nothing to subscribe to',
      )
    const permitted = operation.for(await caller())
    const plan = await permitted.plan()
    if (!plan.primary) throw new AggregateError(permitted.errors.map(unauthorized))
    const subject: Subject = {
      plan,
      denials: permitted.errors,
      source: sourceOf(plan, binding),
      representation: representation(supergraph, plan, binding, binding.keyFields(args)),
      address: { topic: binding.topic, type: binding.type, key },
      operationHash: operationHash(operation, binding.field, args),
    }
    const cursor =
      typeof args.after === 'string'
        ? await live.cursors.open(args.after, { topic: binding.topic, operation: subject.operationHash })
        : null
    const closed = new AbortController()
    const signal = AbortSignal.any([(await caller()).signal, closed.signal])
    const callerUntilClosed = async (): Promise<Caller> => ({ ...(await caller()), signal })
    const session = { supergraph, operations, gauge, ...live, operation, subject, caller: callerUntilClosed }
    return closable(results(session, cursor, closed.signal), closed)
  }
}

/** What is subscribed to. */
type Subject = {
  plan: CompiledPlan
  /** Tell what the subscriber may not have. */
  denials: readonly GraphQLFormattedError[]
  source: EntitySource
  representation: JsonObject
  address: Address
  operationHash: string
}

type Session = LiveRooms &
  Pick<Rooms, 'supergraph' | 'operations' | 'gauge'> & {
    operation: PreparedOperation
    subject: Subject
    caller(): Promise<Caller>
  }

// Of a type that has none in its schema, until its first event.
const unknownVersion = -1

const misses = (version: number, event: StreamEvent) =>
  version !== unknownVersion && event.version > version + 1

type Kind = 'SNAPSHOT' | 'DELTA' | 'RESYNC'

/** The protocol: attach and buffer, snapshot, drop what it has, deltas. Ends after a snapshot that finds nothing. */
async function* results(
  session: Session,
  cursor: Cursor | null,
  closed: AbortSignal,
): AsyncGenerator<Answer, void, void> {
  const buffer = createBuffer<StreamEvent | 'gap'>(bufferedEvents)
  const detach = session.topics.attach(session.subject.address, buffer.push)
  closed.addEventListener('abort', buffer.close, { once: true })
  session.gauge.inc()
  try {
    let version = unknownVersion
    // Until the first event after a cursor proves the contrary, the log may have lost what came between.
    let mayMiss = false
    let begin: Kind | null = 'SNAPSHOT'
    if (cursor) {
      const missed = await missedSince(session, cursor, closed)
      if (missed.kind === 'nothing-visible') {
        yield missed.answer
        return
      }
      version = cursor.version
      mayMiss = true
      begin = missed.kind === 'gone' ? 'RESYNC' : null
      for (const event of missed.kind === 'events' ? missed.events : []) {
        if (event.version <= version) continue
        if (mayMiss && misses(version, event)) {
          begin = 'RESYNC'
          break
        }
        mayMiss = false
        version = event.version
        yield await delta(session, event)
      }
    }
    for (;;) {
      if (begin) {
        buffer.clear()
        const taken = await snapshot(session, begin)
        yield taken.answer
        if (taken.version === null) return
        version = taken.version
        mayMiss = false
        begin = null
      }
      const event = await buffer.take()
      if (event === undefined) return
      if (event === 'gap' || event === 'overflow') begin = 'RESYNC'
      else if (event.version > version) {
        if (mayMiss && misses(version, event)) begin = 'RESYNC'
        else {
          mayMiss = false
          version = event.version
          yield await delta(session, event)
        }
      }
    }
  } finally {
    closed.removeEventListener('abort', buffer.close)
    detach()
    session.gauge.dec()
  }
}

/** `version` is null where there is nothing, or nothing visible, to follow. */
async function snapshot(session: Session, kind: Kind): Promise<{ answer: Answer; version: number | null }> {
  const { subject, operations, operation, topics } = session
  // Read before the snapshot: every event after the snapshot's version has its place from here on.
  const positions = topics.positions(subject.address.topic)
  const caller = await session.caller()
  const { responseName } = subject.source
  const entity = await fetchEntity(session, caller)
  if (!entity.found)
    return {
      answer: await operations.finish(operation, caller, null, {
        data: { [responseName]: null },
        errors: entity.errors,
      }),
      version: null,
    }
  const data = { [responseName]: entity.value }
  const found = own(entity.value, versionKey)
  const version = typeof found === 'number' ? found : unknownVersion
  const answer = await operations.finish(operation, caller, subject.plan, {
    data,
    errors: [...entity.errors, ...subject.denials],
  })
  return { answer: await withStream(session, answer, kind, version, positions), version }
}

async function fetchEntity({ subject, operations, operation }: Session, caller: Caller) {
  const { source, representation: reference, address } = subject
  const execution = operations.execution(operation, caller)
  const value: JsonObject = {}
  const [found = false] = await fetchEntities(execution, source.snapshot, [value], [reference], () => [
    source.responseName,
  ])
  const errors =
    found || execution.errors.length > 0
      ? execution.errors
      : [
          {
            message: `there is no ${address.type} ${address.key}, or it is not visible to you`,
            path: [source.responseName],
            extensions: { code: 'NOT_FOUND' },
          },
        ]
  return { value, found, errors }
}

type Missed =
  | { kind: 'events'; events: StreamEvent[] }
  /** The log has lost them, or they are too many: a snapshot is the better answer. */
  | { kind: 'gone' }
  | { kind: 'nothing-visible'; answer: Answer }

async function missedSince(session: Session, cursor: Cursor, closed: AbortSignal): Promise<Missed> {
  const { subject, topics, operations, operation } = session
  const until = topics.positions(subject.address.topic)
  const caller = await session.caller()
  const entity = await fetchEntity(session, caller)
  if (!entity.found) {
    const data = { [subject.source.responseName]: null }
    const answer = await operations.finish(operation, caller, null, { data, errors: entity.errors })
    return { kind: 'nothing-visible', answer }
  }
  const signal = AbortSignal.any([closed, AbortSignal.timeout(replayDeadlineMs)])
  const events = await topics.replay(subject.address, cursor.positions, until, replayedEvents, signal)
  return events ? { kind: 'events', events } : { kind: 'gone' }
}

async function delta(session: Session, event: StreamEvent): Promise<Answer> {
  const { subject, operations, operation, supergraph } = session
  const current = await session.caller()
  const { tracestate: _ofTheSubscriber, ...headers } = current.headers
  const caller = event.traceparent
    ? { ...current, headers: { ...headers, traceparent: event.traceparent } }
    : current
  const execution = operations.execution(operation, caller)
  const known = { ...subject.representation, version: event.version, ...event.value }
  const value = await readEvent(execution, supergraph, subject.source, subject.representation, known)
  const answer = await operations.finish(operation, caller, subject.plan, {
    data: { [subject.source.responseName]: value },
    errors: [...execution.errors, ...subject.denials],
  })
  return await withStream(session, answer, 'DELTA', event.version, { [event.partition]: event.next })
}

async function withStream(
  { cursors, subject }: Session,
  answer: Answer,
  kind: Kind,
  version: number,
  positions: Record<string, string>,
): Promise<Answer> {
  const { address, operationHash: operation } = subject
  const cursor = await cursors.seal({ topic: address.topic, positions, version, operation })
  const shown = version === unknownVersion ? null : version
  return { ...answer, extensions: { stream: { kind, cursor, version: shown } } }
}

/**
 * A generator that ends while it waits: its own `return` would wait for the next event. After it nothing is yielded
 * any more, so that no result follows a client's `complete`.
 */
function closable<T>(
  source: AsyncGenerator<T, void, void>,
  closed: AbortController,
): AsyncGenerator<T, void, void> {
  const done: IteratorReturnResult<void> = { done: true, value: undefined }
  return {
    async next() {
      if (closed.signal.aborted) return done
      try {
        const result = await source.next()
        return closed.signal.aborted ? done : result
      } catch (error) {
        if (closed.signal.aborted) return done
        throw error
      }
    },
    return() {
      closed.abort(new Error('the subscription is over'))
      // Nobody waits for what it was doing; why it stops is known.
      source.return().catch(() => undefined)
      return Promise.resolve(done)
    },
    throw: (error) => source.throw(error),
    [Symbol.asyncIterator]() {
      return this
    },
    async [Symbol.asyncDispose]() {
      await this.return()
    },
  }
}

const unauthorized = ({ message, path, extensions }: GraphQLFormattedError) =>
  new GraphQLError(message, { path: path ?? null, extensions: extensions ?? null })

function boundField(supergraph: Supergraph, operation: PreparedOperation) {
  const type = supergraph.api.getSubscriptionType()
  if (!type) throw new Error('a valid subscription without a subscription type')
  const collect = fieldCollector(supergraph.api, operation, operation.variables)
  const [field] = collect(type, [operation.definition.selectionSet]).values()
  const definition = field && type.getFields()[field.node.name.value]
  if (!definition) throw refusal('BAD_USER_INPUT', 'the subscription selects nothing')
  const binding = supergraph.events.get(definition.name)
  if (!binding)
    throw refusal(
      'SUBSCRIPTION_NOT_BOUND',
      `Subscription.${definition.name} is bound to no topic by @event: this gateway does not serve it`,
    )
  if (!binding.keyOf)
    throw refusal(
      'SUBSCRIPTION_NOT_BOUND',
      `Subscription.${definition.name} has no key in its @event: this gateway does not serve feeds`,
    )
  const args = getArgumentValues(definition, field.node, operation.variables)
  return { binding, args, key: binding.keyOf(args) }
}

function sourceOf(plan: CompiledPlan, binding: EventBinding): EntitySource {
  if (!plan.primary) throw new Error('a subscription without a first fetch')
  return entitySource(plan.primary, binding)
}

function representation(
  supergraph: Supergraph,
  plan: CompiledPlan,
  binding: EventBinding,
  args: Record<string, unknown>,
): JsonObject {
  const names = new Set(Object.keys(args))
  const key = supergraph
    .keysOf(plan.primary?.subgraph ?? '', binding.type)
    .find((each) => isMadeOf(each, names))
  const type = supergraph.full.getType(binding.type)
  if (!key || !isObjectType(type))
    throw new Error(
      `${plan.primary?.subgraph} does not resolve ${binding.type} by the arguments of ${binding.field}`,
    )
  const fields = key.selections.flatMap((field) => ('name' in field && field.name ? [field.name.value] : []))
  return { __typename: binding.type, ...Object.fromEntries(fields.map((name) => [name, args[name]])) }
}
