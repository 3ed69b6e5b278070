/**
 * What was committed, what the database has at the end, and what subscribers were given of it: each a file of JSON
 * lines in one folder. `faultsIn` tells where something was lost, repeated, out of order or made up.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** `mark` is the commit's own: what has its version has its mark too. Versions of a key are 1, 2, 3 … */
export type Commit = { key: string; version: number; mark: string }

type Subscribed = { subscriber: string; key: string; connection: number }

/** `after`: the version of the cursor that the subscriber came back with; null where it came with none. */
export type Opening = Subscribed & { kind: 'OPEN'; instance: string; after: number | null }

/** PAUSED and RESUMED repeat the last result. `cursor`: its end, which tells it from others. */
export type Received = Subscribed & {
  kind: 'SNAPSHOT' | 'DELTA' | 'RESYNC' | 'PAUSED' | 'RESUMED'
  version: number
  mark: string
  cursor: string
}

/** Nothing was given; why. No fault by itself. */
export type Refused = Subscribed & { kind: 'REFUSED'; reason: string }

type At<T> = T & {
  /** `received-1.jsonl:17` */
  where: string
}

export type History = {
  acknowledged: At<Commit>[]
  stored: Commit[]
  /** In the order in which each subscriber got them. */
  received: At<Opening | Received | Refused>[]
}

export type Fault = {
  what:
    | 'lost'
    | 'hole'
    | 'twice'
    | 'late'
    | 'backwards'
    | 'phantom'
    | 'no snapshot'
    | 'wrong cursor'
    | 'undone'
  /** Null: no subscriber's fault, the database's. */
  subscriber: string | null
  key: string
  /** First and last that are concerned. */
  versions: [number, number]
  where: string
}

const files = { acknowledged: 'acknowledged.jsonl', stored: 'stored.jsonl', received: /^received-.*\.jsonl$/ }

export const acknowledgedFile = (folder: string) => join(folder, files.acknowledged)
export const storedFile = (folder: string) => join(folder, files.stored)
export const receivedFile = (folder: string, name: string) => join(folder, `received-${name}.jsonl`)

export async function readHistory(folder: string): Promise<History> {
  const received = (await readdir(folder)).filter((name) => files.received.test(name)).toSorted()
  return {
    acknowledged: await readLines<Commit>(folder, files.acknowledged),
    stored: await readLines<Commit>(folder, files.stored),
    received: (
      await Promise.all(received.map((name) => readLines<Opening | Received | Refused>(folder, name)))
    ).flat(),
  }
}

async function readLines<T>(folder: string, name: string): Promise<At<T>[]> {
  const lines = (await readFile(join(folder, name), 'utf8')).split('\n')
  return lines.flatMap((line, index) =>
    line === '' ? [] : [{ ...(JSON.parse(line) as T), where: `${name}:${index + 1}` }],
  )
}

export function faultsIn({ acknowledged, stored, received }: History): Fault[] {
  const committed = new Map(stored.map((commit) => [nameOf(commit), commit.mark]))
  const newest = new Map<string, number>()
  for (const { key, version } of acknowledged) newest.set(key, Math.max(version, newest.get(key) ?? 0))
  const undone = acknowledged.filter((commit) => committed.get(nameOf(commit)) !== commit.mark)
  const streams = Map.groupBy(received, ({ subscriber, key }) => `${subscriber}\n${key}`)
  return [
    ...undone.map(
      ({ key, version, where }): Fault => ({
        what: 'undone',
        subscriber: null,
        key,
        versions: [version, version],
        where,
      }),
    ),
    ...[...streams.values()].flatMap((stream) => faultsOf(stream, committed, newest)),
  ]
}

const nameOf = ({ key, version }: { key: string; version: number }) => `${key} ${version}`

/** Of one subscriber and key. */
function faultsOf(
  stream: History['received'],
  committed: ReadonlyMap<string, string>,
  newest: ReadonlyMap<string, number>,
): Fault[] {
  const faults: Fault[] = []
  // Of the last result, and whether it was given since the subscriber last came without a cursor.
  let version = 0
  let begun = false
  const missing = new Set<number>()

  for (const line of stream) {
    const { subscriber, key, where } = line
    const find = (what: Fault['what'], from: number, to = from) =>
      faults.push({ what, subscriber, key, versions: [from, to], where })
    if (line.kind === 'REFUSED') continue
    if (line.kind === 'OPEN') {
      begun = line.after !== null
      if (line.after !== null && line.after !== version) find('wrong cursor', line.after)
      continue
    }
    if (committed.get(nameOf(line)) !== line.mark) find('phantom', line.version)
    if (!begun && line.kind !== 'SNAPSHOT' && line.kind !== 'RESYNC') find('no snapshot', line.version)
    if (line.kind === 'DELTA' && begun) {
      if (line.version > version + 1) {
        find('hole', version + 1, line.version - 1)
        for (let each = version + 1; each < line.version; each++) missing.add(each)
      } else if (line.version <= version) find(missing.delete(line.version) ? 'late' : 'twice', line.version)
    } else if (line.version < version) find('backwards', line.version, version)
    else if (line.version > version && (line.kind === 'PAUSED' || line.kind === 'RESUMED'))
      find('hole', version + 1, line.version)
    begun = true
    version = Math.max(version, line.version)
  }
  const last = stream.at(-1)
  const latest = last && (newest.get(last.key) ?? 0)
  if (last && latest !== undefined && version < latest)
    faults.push({
      what: 'lost',
      subscriber: last.subscriber,
      key: last.key,
      versions: [version + 1, latest],
      where: last.where,
    })
  return faults
}

const meanings: Record<Fault['what'], string> = {
  lost: 'acknowledged, and not given until the end',
  hole: 'passed over',
  twice: 'given again as a delta',
  late: 'given after what came later',
  backwards: 'went back, behind what was given before',
  phantom: 'given, and never committed so',
  'no snapshot': 'did not begin with a snapshot',
  'wrong cursor': "came back with a cursor that is not the last result's",
  undone: 'acknowledged, and not in the database',
}

export function printFault({ what, subscriber, key, versions: [from, to], where }: Fault): string {
  const versions = from === to ? `version ${from}` : `versions ${from} to ${to}`
  return `${where}: ${subscriber ?? 'the database'}, ${key}, ${versions}: ${what}, ${meanings[what]}`
}

export type Tally = {
  subscribers: number
  /** Acknowledged. */
  commits: number
  /** Subscriptions that were opened with a cursor. */
  resumed: number
  /** Of these, those whose first result was a delta. */
  continued: number
  refused: number
  results: Record<Received['kind'], number>
}

/** What a history holds: a run in which nothing happened proves nothing. */
export function tallyOf({ acknowledged, received }: History): Tally {
  const results = { SNAPSHOT: 0, DELTA: 0, RESYNC: 0, PAUSED: 0, RESUMED: 0 }
  const tally: Tally = {
    subscribers: new Set(received.map(({ subscriber }) => subscriber)).size,
    commits: acknowledged.length,
    resumed: 0,
    continued: 0,
    refused: 0,
    results,
  }
  const returning = new Set<string>()
  for (const line of received) {
    if (line.kind === 'REFUSED') tally.refused++
    else if (line.kind === 'OPEN') {
      if (line.after === null) returning.delete(line.subscriber)
      else {
        tally.resumed++
        returning.add(line.subscriber)
      }
    } else {
      results[line.kind]++
      if (returning.delete(line.subscriber) && line.kind === 'DELTA') tally.continued++
    }
  }
  return tally
}
