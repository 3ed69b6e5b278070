import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSupergraph } from '@community/gateway/plan/supergraph.ts'
import type { LogRecord } from '@community/infra/eventlog.ts'
import { batch } from '@community/subgraphs/telemetry/batch.ts'
import {
  buildASTSchema,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  type GraphQLType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
} from 'graphql'
import { expect, inject, test } from 'vitest'
import { recordsInTheLog } from './records.ts'

const world = inject('world')
const schemaFolder = join(import.meta.dirname, '../../schema')
const page = readFileSync(join(schemaFolder, 'events.md'), 'utf8')

type Row = { topic: string; key: string; type: string; shape: string }

const rows: Row[] = tableOf('topic').map(([topic = '', key = '', type = '', shape = '']) => ({
  topic,
  key,
  type,
  shape,
}))
const rowOf = ({ topic, headers }: LogRecord) =>
  rows.find((row) => row.topic === topic && row.type === headers.ce_type)
const headerNames = tableOf('header').map(([name = '']) => name)

const schemas = new Map<string, GraphQLSchema>()
function schemaOf(file: string): GraphQLSchema {
  const known = schemas.get(file)
  if (known) return known
  const read = buildASTSchema(parse(readFileSync(join(schemaFolder, file), 'utf8')), { assumeValidSDL: true })
  schemas.set(file, read)
  return read
}

test('every record of the event log is as schema/events.md says', async () => {
  const records = await everything()
  const wrong = new Set<string>()
  for (const record of records)
    for (const what of misfits(record)) wrong.add(`${record.topic} ${record.headers.ce_type}: ${what}`)
  expect([...wrong]).toEqual([])
  expect(holes(records)).toEqual([])

  const seen = new Set(records.map(({ headers }) => headers.ce_type))
  const unseen = rows.flatMap(({ type }) => (type.startsWith('ossa.') && !seen.has(type) ? type : []))
  if (unseen.length > 0) console.warn(`of these types nothing was sent: ${unseen.join(', ')}`)
  expect(seen.size).toBeGreaterThanOrEqual(5)
})

test('every type that schema/events.md names is there, and every subscription is bound to one', () => {
  const missing = rows.filter(
    ({ type, shape }) => shape.endsWith('.graphql') && !isObjectType(schemaOf(shape).getType(nameIn(type))),
  )
  expect(missing).toEqual([])
  const { events } = readSupergraph(readFileSync(join(schemaFolder, 'supergraph.graphql'), 'utf8'))
  expect(events.size).toBeGreaterThan(0)
  for (const { field, topic, eventType } of events.values())
    expect(
      rows.some(
        (row) => row.topic === topic && nameIn(row.type) === eventType && page.includes(`\`${field}\``),
      ),
      `Subscription.${field} is not in schema/events.md`,
    ).toBe(true)
})

/** The cells of the table whose first column has this title; one that is empty means what stands above it. */
function tableOf(title: string): string[][] {
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''))
  const lines = page.split('\n')
  const start = lines.findIndex((line) => line.startsWith('|') && cells(line)[0] === title)
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
  const found: string[][] = []
  for (const line of lines.slice(start + 2, end)) {
    const row = cells(line)
    row[0] ||= found.at(-1)?.[0] ?? ''
    found.push(row)
  }
  return found
}

/** All that the topics have had so far, in order within a partition; without what was delivered again. */
async function everything(): Promise<LogRecord[]> {
  const records = new Map<string, LogRecord>()
  for (const record of await recordsInTheLog(world)) {
    const id = `${record.topic} ${record.headers.ce_id ?? `${record.partition} ${record.offset}`}`
    if (!records.has(id)) records.set(id, record)
  }
  return [...records.values()]
}

/** Versions of a type and key go from 1 upwards by one. */
function holes(records: readonly LogRecord[]): string[] {
  const ofDeadLetters = rows.find(({ shape }) => shape === 'the original')?.topic
  const aggregates = Map.groupBy(
    records.filter(({ topic }) => topic !== ofDeadLetters),
    ({ key, headers }) => `${headers.ce_type} ${key}`,
  )
  return [...aggregates].flatMap(([aggregate, events]) => {
    const versions = events.map(({ headers }) => Number(headers.ce_aggregateversion))
    return versions.every((version, index) => version === index + 1) ? [] : `${aggregate}: ${versions.join()}`
  })
}

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)$/

const envelope: Record<string, (value: string, record: LogRecord) => boolean> = {
  'content-type': (value) => value === 'application/json',
  ce_specversion: (value) => value === '1.0',
  ce_id: (value) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(value),
  ce_source: (value, { key, headers }) =>
    value === `/subgraphs/${headers.ce_type?.split('.')[1]}` || value === `/usage/${key}`,
  ce_type: (value) => value.startsWith('ossa.'),
  ce_time: (value) => iso.test(value),
  ce_subject: (value, { key }) => value === key,
  ce_aggregateversion: (value) => /^[1-9]\d*$/.test(value),
  traceparent: (value) => /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value),
}

function misfits(record: LogRecord): string[] {
  const row =
    rowOf(record) ?? rows.find(({ topic, type }) => topic === record.topic && type === 'as the original')
  if (!row) return ['it has no row']
  if (row.shape === 'the original')
    return rows.some(({ topic }) => topic === record.key) && record.headers['source-topic'] === record.key
      ? []
      : ['its key is not the topic that it comes from']
  const names = new Set(headerNames.filter((name) => name !== 'traceparent' || record.headers[name]))
  const ofEnvelope = [...new Set([...names, ...Object.keys(record.headers)])].filter(
    (name) => !names.has(name) || !envelope[name]?.(record.headers[name] ?? '', record),
  )
  const value: unknown = JSON.parse(record.value)
  return [
    ...ofEnvelope.map((name) => `header ${name} does not fit`),
    ...(row.shape.endsWith('.graphql')
      ? ofEvent(schemaOf(row.shape), nameIn(row.type), value, record)
      : ofUsage(value, record)),
  ]
}

const nameIn = (type: string) => type.slice(type.lastIndexOf('.') + 1)

type Json = Record<string, unknown>

/** The value is the type's, which has the record's key and version. */
function ofEvent(
  schema: GraphQLSchema,
  typeName: string,
  value: unknown,
  { key, headers }: LogRecord,
): string[] {
  const type = schema.getType(typeName)
  if (!isObjectType(type)) return [`there is no type ${typeName} in the schema`]
  const { version, ...fields } = value as Json
  const [keyField = ''] = keysOf(type)
  return [
    ...(fields[keyField] === key ? [] : [`${keyField} is not the record's key`]),
    ...(String(version) === headers.ce_aggregateversion ? [] : ['version is not ce_aggregateversion']),
    ...ofType(type, value, typeName),
  ]
}

/** What does not fit the type, with its path. A field that is not there is asked of the subgraph; entities tell their key. */
function ofType(type: GraphQLType, value: unknown, path: string): string[] {
  if (isNonNullType(type)) return value === null ? [`${path} is null`] : ofType(type.ofType, value, path)
  if (value === null) return []
  if (isListType(type))
    return Array.isArray(value)
      ? value.flatMap((each) => ofType(type.ofType, each, `${path}[]`))
      : [`${path} is no list`]
  if (isLeafType(type)) return fits(type, value) ? [] : [`${path} is no ${type.name}`]
  if (!isObjectType(type) || typeof value !== 'object') return [`${path} is no ${String(type)}`]
  const { __typename, ...properties } = value as Json
  const fields = type.getFields()
  return [
    ...(__typename === type.name ? [] : [`${path} has the __typename ${String(__typename)}`]),
    ...keysOf(type).flatMap((name) => (name in properties ? [] : `${path} lacks its key ${name}`)),
    ...Object.entries(properties).flatMap(([name, property]) => {
      const field = fields[name]
      return field && isOwn(field)
        ? ofType(field.type, property, `${path}.${name}`)
        : [`${path}.${name} is no field of ${type.name} here`]
    }),
  ]
}

function fits(
  type: GraphQLType & { parseValue(value: unknown): unknown; name: string },
  value: unknown,
): boolean {
  if (type.name === 'DateTime') return typeof value === 'string' && iso.test(value)
  try {
    type.parseValue(value)
    return true
  } catch {
    return false
  }
}

const isOwn = ({ astNode }: GraphQLField<unknown, unknown>) =>
  !astNode?.directives?.some(({ name }) => name.value === 'external')

function keysOf({ astNode }: GraphQLObjectType): string[] {
  const directive = astNode?.directives?.find(({ name }) => name.value === 'key')
  const fields = directive?.arguments?.find(({ name }) => name.value === 'fields')?.value
  return fields?.kind === Kind.STRING ? fields.value.split(' ') : []
}

function ofUsage(value: unknown, { key, headers }: LogRecord): string[] {
  const { success, data, error } = batch.safeParse(value)
  if (!success) return [error.message]
  expect(value).toEqual(data)
  return [
    ...(data.source === key ? [] : ["source is not the record's key"]),
    ...(String(data.sequence) === headers.ce_aggregateversion ? [] : ['sequence is not ce_aggregateversion']),
  ]
}
