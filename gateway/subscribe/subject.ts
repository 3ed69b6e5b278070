import { type GraphQLFormattedError, getArgumentValues, Kind } from 'graphql'
import { fieldCollector } from '../execute/collect.ts'
import type { CompiledPlan } from '../execute/compile.ts'
import { fetchEntities } from '../execute/execute.ts'
import { type JsonObject, own } from '../execute/merge.ts'
import type { Answer, Caller, Operations, PreparedOperation } from '../operation.ts'
import { type EventBinding, entityFetch, entitySource, isMadeOf, versionKey } from '../plan/event.ts'
import type { Fetch } from '../plan/plan.ts'
import type { Supergraph } from '../plan/supergraph.ts'
import { refusal } from '../refusal.ts'
import { readEvent } from './delta.ts'
import type { Address, Notice, StreamEvent, Topics } from './topics.ts'

/** The source has ended by itself: with an error it failed. */
export type Ended = { ended: Error | null }

export type Positions = Record<string, string>

/** Of an entity whose type has none in its schema, until its first event. */
export const unknownVersion = -1

/** What events go on from. */
export type Opening = {
  /** Null: there is nothing to begin with. */
  answer: Answer | null
  version: number
  /** Where in the log the events are that it does not have. */
  positions: Positions
  /** There is nothing, or nothing visible, to follow. */
  isOver: boolean
}

/** What a subscription follows, and how one supergraph makes results of it. */
export type Subject = {
  /** The same for what goes on without a new snapshot under another supergraph. */
  name: string
  /** Where events come from: those of another are the same, and may be further on. */
  source: unknown
  /** Versions are those of one entity. Else they are those of many, and positions alone tell what was missed. */
  isKeyed: boolean
  /** Each version is told, so that one which does not come was missed. */
  hasEachVersion: boolean
  /** Its results carry cursors; null where nothing could be resumed. */
  topic: string | null
  /** Every event from now on. */
  attach(listener: (item: StreamEvent | Notice | Ended) => void): () => void
  positions(): Positions
  open(): Promise<Opening>
  /** Null while it may be followed; else what tells why not, and whether that is known or just could not be found out. */
  refusal(): Promise<{ answer: Answer; isKnown: boolean } | null>
  /** What is told of an event; null: nothing. */
  read(event: StreamEvent): Promise<Answer | null>
  /** Null where the log no longer has them, or they are too many. */
  missed(from: Positions, until: Positions, signal: AbortSignal): Promise<StreamEvent[] | null>
}

export type SubscriptionField = {
  name: string
  responseName: string
  args: Record<string, unknown>
  /** Null: a subgraph serves it. */
  binding: EventBinding | null
}

/** What a subscription's one field asks for. */
export function subscriptionField(supergraph: Supergraph, operation: PreparedOperation): SubscriptionField {
  const type = supergraph.api.getSubscriptionType()
  if (!type) throw new Error('a valid subscription without a subscription type')
  const collect = fieldCollector(supergraph.api, operation, operation.variables)
  const [found] = collect(type, [operation.definition.selectionSet])
  const definition = found && type.getFields()[found[1].node.name.value]
  if (!definition) throw refusal('BAD_USER_INPUT', 'the subscription selects nothing')
  return {
    name: definition.name,
    responseName: found[0],
    args: getArgumentValues(definition, found[1].node, operation.variables),
    binding: supergraph.events.get(definition.name) ?? null,
  }
}

type Rooms = {
  supergraph: Supergraph
  operations: Operations
  operation: PreparedOperation
  plan: CompiledPlan & { primary: Fetch }
  /** Tell what the subscribers may not have. */
  denials: readonly GraphQLFormattedError[]
  topics: Topics
  /** Asked for again and again, as its headers grow old. */
  caller(): Promise<Caller>
  /** Tells the log of an event that can't be read, and is passed over. */
  fault: (error: Error) => void
}

const mostReplayed = 10_000

/** Events of the log: of one entity, whose snapshot comes first, or of all that match. */
export function eventSubject(rooms: Rooms, { args }: SubscriptionField, binding: EventBinding): Subject {
  const { supergraph, operations, operation, plan, denials, topics } = rooms
  const { topic, eventType, type } = binding
  const { subgraph } = plan.primary
  const source = entitySource(plan.primary, binding)
  const { responseName } = source
  const keyed = binding.keyOf ? keyedReference(supergraph, subgraph, binding, args) : null
  const address: Address = { topic, type: eventType, key: binding.keyOf?.(args) ?? null }
  const matches = binding.matches(args)
  const sight = sightFetch(supergraph, subgraph, type)

  async function answered(data: JsonObject, errors: GraphQLFormattedError[], caller: Caller) {
    return await operations.finish(operation, caller, plan, {
      data: { [responseName]: data },
      errors: [...errors, ...denials],
    })
  }

  /** The entity, as far as the fetch selects it; `errors` where it is not found. */
  async function entity(fetch: Fetch, reference: JsonObject, caller: Caller) {
    const execution = operations.execution(operation, caller)
    const value: JsonObject = {}
    const [found = false] = await fetchEntities(execution, fetch, [value], [reference], () => [responseName])
    return { value, found, errors: execution.errors }
  }

  const nothing = (errors: GraphQLFormattedError[], caller: Caller) =>
    operations.finish(operation, caller, null, { data: { [responseName]: null }, errors })

  const invisible = (errors: GraphQLFormattedError[]): GraphQLFormattedError[] =>
    errors.length > 0
      ? errors
      : [
          {
            message: `there is no ${type} ${address.key}, or it is not visible to you`,
            path: [responseName],
            extensions: { code: 'NOT_FOUND' },
          },
        ]

  async function openEntity(reference: JsonObject): Promise<Opening> {
    // Read before the snapshot: every event after the snapshot's version has its place from here on.
    const positions = topics.positions(topic)
    const caller = await rooms.caller()
    const { value, found, errors } = await entity(source.snapshot, reference, caller)
    if (!found)
      return {
        answer: await nothing(invisible(errors), caller),
        version: unknownVersion,
        positions,
        isOver: true,
      }
    const version = own(value, versionKey)
    const answer = await answered(value, errors, caller)
    return {
      answer,
      version: typeof version === 'number' ? version : unknownVersion,
      positions,
      isOver: false,
    }
  }

  return {
    name: JSON.stringify([address, keyed, denials]),
    source: topics,
    isKeyed: keyed !== null,
    hasEachVersion: keyed !== null && matches === null,
    topic,
    attach: (listener) =>
      topics.attach(address, (item) => {
        if (typeof item === 'string' || !matches || matches(item.value)) listener(item)
      }),
    positions: () => topics.positions(topic),
    async open() {
      if (keyed) return await openEntity(keyed)
      const positions = topics.positions(topic)
      const answer = await nothing([...denials], await rooms.caller())
      return { answer, version: unknownVersion, positions, isOver: false }
    },
    async refusal() {
      if (!keyed) return null
      const caller = await rooms.caller()
      const { found, errors } = await entity(sight, keyed, caller)
      return found ? null : { isKnown: errors.length === 0, answer: await nothing(invisible(errors), caller) }
    },
    async read(event) {
      const caller = inTraceOf(event, await rooms.caller())
      const reference = keyed ?? referenceIn(supergraph, subgraph, type, event.value)
      if (!reference) {
        rooms.fault(
          new Error(`${topic} ${event.partition}:${event.offset}: ${type} without a key of ${subgraph}`),
        )
        return null
      }
      // Whether it may be seen is judged by the snapshot where there is one, and else for each event.
      if (!keyed) {
        const { found, errors } = await entity(sight, reference, caller)
        if (!found) return errors.length > 0 ? await nothing([...errors], caller) : null
      }
      const execution = operations.execution(operation, caller)
      const known = { ...reference, version: event.version, ...event.value }
      const value = await readEvent(execution, supergraph, source, reference, known)
      return await answered(value, execution.errors, caller)
    },
    async missed(from, until, signal) {
      const events = await topics.replay(address, from, until, mostReplayed, signal)
      return matches && events ? events.filter(({ value }) => matches(value)) : events
    },
  }
}

function inTraceOf({ traceparent }: StreamEvent, caller: Caller): Caller {
  if (traceparent === undefined) return caller
  return { ...caller, headers: { ...caller.headers, traceparent } }
}

/** The entity that a field with a key follows, by the field's arguments. */
function keyedReference(
  supergraph: Supergraph,
  subgraph: string,
  { type, field, ...binding }: EventBinding,
  args: Record<string, unknown>,
): JsonObject {
  const given = binding.keyFields(args)
  const key = supergraph.keysOf(subgraph, type).find((each) => isMadeOf(each, new Set(Object.keys(given))))
  if (!key) throw new Error(`${subgraph} does not resolve ${type} by the arguments of ${field}`)
  return { __typename: type, ...pick(fieldNames(key), given) }
}

/** The entity that an event tells of, by the key that says most of it, as its version; null where it does not. */
function referenceIn(
  supergraph: Supergraph,
  subgraph: string,
  type: string,
  value: JsonObject,
): JsonObject | null {
  const names = new Set(Object.keys(value))
  const [key] = supergraph
    .keysOf(subgraph, type)
    .filter((each) => isMadeOf(each, names))
    .toSorted((a, b) => b.selections.length - a.selections.length)
  return key ? { __typename: type, ...pick(fieldNames(key), value) } : null
}

type Key = ReturnType<Supergraph['keysOf']>[number]

const fieldNames = (key: Key): string[] =>
  key.selections.flatMap((field) => ('name' in field && field.name ? [field.name.value] : []))

const pick = (names: readonly string[], from: JsonObject): JsonObject =>
  Object.fromEntries(names.map((name) => [name, own(from, name)]))

/** Whether an entity is there and may be seen, and no more. */
function sightFetch(supergraph: Supergraph, subgraph: string, type: string): Fetch {
  const key = supergraph.keysOf(subgraph, type).find((each) => each.selections.every(isPlain))
  if (!key) throw new Error(`${subgraph} does not resolve ${type} by plain fields`)
  return entityFetch(subgraph, type, key.selections, [])
}

const isPlain = (selection: Key['selections'][number]): boolean =>
  selection.kind === Kind.FIELD && !selection.selectionSet
