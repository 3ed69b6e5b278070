import {
  type ConstDirectiveNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  type GraphQLType,
  getDirectiveValues,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  valueFromASTUntyped,
} from 'graphql'

/** What `@event` says of a subscription field, read and checked. */
export type EventDirective = {
  field: string
  /** The field's return type. */
  type: GraphQLObjectType
  topic: string
  /** Null for a feed: all events of `entity` in the topic that pass `where`. */
  key: KeyTemplate | null
  where: readonly Condition[]
  /** The type of events that belong to the field: the last segment of their `ce_type`. */
  entity: string
}

/** `texts` stand around `args`, one more than there are of those. */
type KeyTemplate = { texts: readonly string[]; args: readonly Path[] }

/** Passes where the argument is absent or null, equals what is at `event`, or is a list that includes it. */
type Condition = { event: Path; arg: Path }

/** Names of fields, the first of an event's value or of a field's arguments. */
export type Path = readonly string[]

/** Of every subscription field with the directive in a supergraph; with what is wrong, in words for who wrote it. */
export function readEvents(
  supergraph: GraphQLSchema,
  directiveName: string,
): { events: EventDirective[]; errors: string[] } {
  const definition = supergraph.getDirective(directiveName)
  const subscription = supergraph.getSubscriptionType()
  const events: EventDirective[] = []
  const errors: string[] = []
  if (!definition || !subscription) return { events, errors }
  for (const field of Object.values(subscription.getFields())) {
    const given = field.astNode && getDirectiveValues(definition, field.astNode)
    if (!given) continue
    const faults: string[] = []
    const event = readEvent(field, given, graphsOf(field, subscription), (text) => {
      faults.push(`Subscription.${field.name}: @event${text}`)
      return null
    })
    if (event && faults.length === 0) events.push(event)
    errors.push(...faults)
  }
  return { events, errors }
}

/** Tells what is wrong, and stands for what could not be read. */
type Fault = (text: string) => null

type SubscriptionField = GraphQLField<unknown, unknown>

function readEvent(
  field: SubscriptionField,
  given: Record<string, unknown>,
  graphs: ReadonlySet<string>,
  fault: Fault,
): EventDirective | null {
  const topic = String(given.topic)
  const entity = typeof given.entity === 'string' ? given.entity : getNamedType(field.type).name
  if (!/^[\w.-]{1,249}$/.test(topic) || /^\.+$/.test(topic))
    fault(`(topic: "${topic}"): expected 1 to 249 letters, digits, dots, dashes and underscores`)
  if (!/^[A-Za-z_]\w*$/.test(entity)) fault(`(entity: "${entity}"): expected the name of a type`)
  const key = typeof given.key === 'string' ? readKey(field, given.key, fault) : null
  const type = readType(field, fault)
  if (!type) return null
  if (typeof given.key !== 'string') requireKey(type, graphs, null, fault)
  else if (key) requireKey(type, graphs, keyNames(field, key), fault)
  const texts = Array.isArray(given.where) ? given.where.map(String) : []
  const where = texts.flatMap((text) => readCondition(field, type, text, fault) ?? [])
  return { field: field.name, type, topic, key, where, entity }
}

function readType({ type }: SubscriptionField, fault: Fault): GraphQLObjectType | null {
  if (isNonNullType(type))
    fault(`: the field is ${String(type)}, expected a nullable type, for there may be nothing to see`)
  const nullable = getNullableType(type)
  return isObjectType(nullable)
    ? nullable
    : fault(`: the field is ${String(type)}, expected an object type with a key`)
}

const argument = /\{args\.(\w+(?:\.\w+)*)\}/

function readKey(field: SubscriptionField, template: string, fault: Fault): KeyTemplate | null {
  const at = (text: string) => fault(`(key: "${template}"): ${text}`)
  const parts = template.split(argument)
  const texts = parts.filter((_, index) => index % 2 === 0)
  const args = parts.filter((_, index) => index % 2 === 1).map((path) => path.split('.'))
  if (args.length === 0 || texts.some((text) => /[{}]/.test(text)))
    return at('expected arguments in it as {args.NAME} or {args.NAME.FIELD}, or no key for a feed')
  const types = args.map((path) => argumentType(field, path, at))
  if (types.includes(null)) return null
  for (const [index, path] of args.entries())
    if (!isNonNullType(types[index]) || !isLeafType(types[index].ofType))
      at(`args.${path.join('.')} is ${String(types[index])}, expected a scalar or enum that is never null`)
  return { texts, args }
}

function readCondition(
  field: SubscriptionField,
  type: GraphQLObjectType,
  text: string,
  fault: Fault,
): Condition | null {
  const at = (what: string) => fault(`(where: "${text}"): ${what}`)
  const [, event, arg] = /^\s*(\w+(?:\.\w+)*)\s*:\s*\{args\.(\w+(?:\.\w+)*)\}\s*$/.exec(text) ?? []
  if (event === undefined || arg === undefined) return at('expected "EVENT.PATH: {args.PATH}"')
  const condition = { event: event.split('.'), arg: arg.split('.') }
  const argType = argumentType(field, condition.arg, at)
  const eventType = typeAt(type.getFields(), type.name, condition.event, objectFields, at)
  if (!argType || !eventType) return null
  const argName = getNamedType(withoutList(argType)).name
  const eventName = getNamedType(eventType).name
  if (!isLeafType(withoutList(argType)))
    return at(`args.${arg} is ${String(argType)}, expected a scalar or an enum, or a list of them`)
  if (!isLeafType(getNamedType(eventType)))
    return at(`${event} is ${String(eventType)}, expected a scalar or an enum, or a list of them`)
  return areComparable(argName, eventName)
    ? condition
    : at(`args.${arg} is ${String(argType)} and ${event} ${String(eventType)}, expected the same type`)
}

const withoutList = (type: GraphQLType): GraphQLType => {
  const nullable = getNullableType(type)
  return isListType(nullable) ? getNullableType(nullable.ofType) : nullable
}

const alike = [new Set(['ID', 'String']), new Set(['Int', 'Float'])]
const areComparable = (a: string, b: string) => a === b || alike.some((names) => names.has(a) && names.has(b))

type Fields = Readonly<Record<string, { readonly type: GraphQLType }>>

function argumentType({ name, args }: SubscriptionField, path: Path, fault: Fault): GraphQLType | null {
  const fields = Object.fromEntries(args.map((each) => [each.name, each]))
  return typeAt(fields, `Subscription.${name}`, path, inputFields, fault)
}

function typeAt(
  fields: Fields,
  within: string,
  [name = '', ...rest]: Path,
  fieldsOf: (type: GraphQLType) => Fields | null,
  fault: Fault,
): GraphQLType | null {
  const type = Object.hasOwn(fields, name) ? fields[name]?.type : undefined
  if (!type) return fault(`${within} has no ${name}, expected one of ${Object.keys(fields).join(', ')}`)
  const [next] = rest
  if (next === undefined) return type
  const inner = fieldsOf(type)
  if (!inner) return fault(`${within}.${name} is ${String(type)}, expected an object with ${next}`)
  return typeAt(inner, getNamedType(type).name, rest, fieldsOf, fault)
}

// A list of inputs would be many values to compare with; a list of an event's objects has each's value.
const inputFields = (type: GraphQLType) => {
  const nullable = getNullableType(type)
  return isInputObjectType(nullable) ? nullable.getFields() : null
}
const objectFields = (type: GraphQLType) => {
  const named = getNamedType(type)
  return isObjectType(named) ? named.getFields() : null
}

/** What an entity's key may be made of: the field's arguments, and what the template takes out of them. */
const keyNames = ({ args }: SubscriptionField, key: KeyTemplate): string[] => [
  ...new Set([...args.map(({ name }) => name), ...key.args.map((path) => path.at(-1) ?? '')]),
]

function requireKey(
  type: GraphQLObjectType,
  graphs: ReadonlySet<string>,
  names: readonly string[] | null,
  fault: Fault,
): void {
  const fields = (type.astNode?.directives ?? [])
    .filter((each) => each.name.value === 'join__type' && graphs.has(textOf(each, 'graph')))
    .filter((each) => argumentOf(each, 'resolvable') !== false)
    .map((each) => textOf(each, 'key'))
  const isMadeOf = (key: string) =>
    /^[\w\s,]+$/.test(key) &&
    (names === null || key.split(/[\s,]+/).every((each) => each === '' || names.includes(each)))
  if (fields.some(isMadeOf)) return
  fault(
    names === null
      ? `: ${type.name} has no resolvable @key of plain fields, expected one to ask for what events lack`
      : `: no resolvable @key of ${type.name} is made of arguments, expected one of ${names.join(', ')}`,
  )
}

/** The subgraphs that have the field. */
function graphsOf({ astNode }: SubscriptionField, subscription: GraphQLObjectType): Set<string> {
  const named = (directives: readonly ConstDirectiveNode[] | undefined, name: string) =>
    (directives ?? [])
      .filter((each) => each.name.value === name)
      .flatMap((each) => textOf(each, 'graph') || [])
  const ofField = named(astNode?.directives, 'join__field')
  return new Set(ofField.length > 0 ? ofField : named(subscription.astNode?.directives, 'join__type'))
}

const argumentOf = ({ arguments: given = [] }: ConstDirectiveNode, name: string): unknown => {
  const value = given.find((each) => each.name.value === name)?.value
  return value && valueFromASTUntyped(value)
}
const textOf = (directive: ConstDirectiveNode, name: string): string => {
  const value = argumentOf(directive, name)
  return typeof value === 'string' ? value : ''
}
