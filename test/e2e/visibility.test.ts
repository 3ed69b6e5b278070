import { isDeepStrictEqual } from 'node:util'
import { openKeys } from '@community/infra/keys.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type Answer, ask as askGraph, type Watch, watch } from '../client.ts'
import { eventually } from '../eventually.ts'
import {
  type Community,
  change,
  isRich,
  makeCommunity,
  type Thing,
  visibilities,
  worsen,
} from './visibility/offers.ts'
import { isPaged, operationFor, type Root, rootFields, roots, unasked } from './visibility/operations.ts'
import { administrator, home, mayRead, owner, type Principal, principals } from './visibility/principals.ts'
import { type Row, rows, type Seen } from './visibility/rows.ts'

const world = inject('world')

const tokens = new Map<Principal, Promise<string>>()
async function tokenOf(principal: Principal): Promise<string | undefined> {
  if (principal.organization === null) return undefined
  const issuer = await openKeys(world.keysDir, 'issuer')
  const { organization: org, scopes, subject } = principal
  const signed =
    tokens.get(principal) ??
    issuer.sign(
      { org, scope: scopes.join(' ') },
      { audience: 'community', issuer: 'community', subject, ttlSeconds: 3_600 },
    )
  tokens.set(principal, signed)
  return await signed
}

const ask = async <T>(principal: Principal, operation: string, variables: object = {}): Promise<Answer<T>> =>
  await askGraph<T>(world.graphqlUrl, operation, { ...variables }, await tokenOf(principal))

let community: Community

beforeAll(async () => {
  community = await makeCommunity(world, ask)
  await eventually(unsettled, (left) => left.length === 0)
}, 180_000)

const homeAdministrator = { ...administrator, organization: home }

// Others count what is active, and draw reviewers from who has a certificate.
afterAll(async () => {
  for (const { id } of community.offers)
    await ask(administrator, 'mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id })
  for (const { id, kind } of community.things)
    if (kind === 'certification')
      await ask(
        administrator,
        'mutation ($input: RevokeCertificationInput!) { revokeCertification(input: $input) { id } }',
        { input: { id, reason: 'The birds have flown.' } },
      )
  for (const { id, kind } of community.things)
    if (kind === 'run')
      await ask(homeAdministrator, 'mutation ($id: ID!) { cancelPlan(id: $id) { id } }', { id })
  await ask(homeAdministrator, 'mutation { retireAgent(agentId: "zqhome") { id } }')
}, 60_000)

/** What the subgraphs have not yet heard of. */
async function unsettled(): Promise<string[]> {
  const client = new Client(world.adminUrl)
  await client.connect()
  try {
    const left: string[] = []
    for (const [table, key] of [
      ['marketplace.listing', 'agent_id'],
      ['telemetry.agent', 'id'],
      ['federation.agent_owner', 'agent_id'],
      ['certification.certification', 'agent_id'],
    ] as const) {
      const { rows: found } = await client.query<{ id: string; visibility: string }>(
        `select distinct ${key} as id, visibility from ${table} where ${key} like '${owner}/%'`,
      )
      for (const { id, visibility } of community.offers) {
        const its = found.filter((row) => row.id === id).map((row) => row.visibility)
        const isExpected = table !== 'certification.certification' || its.length > 0
        if (isExpected && its.join() !== visibility) left.push(`${table} ${id} ${its.join()}`)
      }
    }
    if (left.length > 0) return left
    for (const principal of [principals[0]!, administrator])
      for (const name of ['discoverAgents', 'searchListings'])
        for (const row of rowsOf('Query', name))
          if (row.ask === 'all') left.push(...(await wrongCounts(principal, name, row)))
    return left
  } finally {
    await client.end()
  }
}

test('every root field of the supergraph has a row, and every row a field', () => {
  for (const root of roots) {
    const without = rootFields(root).filter((name) => !(name in rows[root]))
    expect(without, `${root}.${without[0]} has no row: add one to test/e2e/visibility/rows.ts`).toEqual([])
    expect(Object.keys(rows[root]).filter((name) => !rootFields(root).includes(name))).toEqual([])
  }
})

test('every field of every type that they lead to is asked for', () => {
  const asked = (root: Root) =>
    rootFields(root).filter((name) => rowsOf(root, name).some((row) => row.ask !== 'own'))
  expect(
    unasked({ Query: asked('Query'), Mutation: asked('Mutation'), Subscription: asked('Subscription') }),
  ).toEqual([])
})

/** Queries that have answered somebody with more than nothing: what shows nobody anything hides nothing. */
const shown = new Set<string>()

test.for(principals)('$name learns nothing that is not for them, of any query', async (principal) => {
  const faults: string[] = []
  for (const name of rootFields('Query'))
    for (const row of rowsOf('Query', name)) {
      if (row.ask === 'each') faults.push(...(await faultsOfEach('Query', principal, name, row)))
      if (row.ask === 'all') faults.push(...(await faultsOfAll(principal, name, row)))
    }
  expect(faults).toEqual([])
})

test('every query has shown somebody something', () => {
  const mute = ['myRating']
  expect(rootFields('Query').filter((name) => !shown.has(name))).toEqual(mute)
})

test.for(principals)(
  'to $name every mutation answers of what is hidden as of what is not',
  async (principal) => {
    const faults: string[] = []
    for (const name of rootFields('Mutation'))
      for (const row of rowsOf('Mutation', name))
        if (row.ask === 'each' && !row.acts?.(principal))
          faults.push(...(await faultsOfEach('Mutation', principal, name, row)))
    expect(faults).toEqual([])
  },
)

test("another's cursor shows nothing but the own pages", async () => {
  const pages = rootFields('Query').flatMap((name) =>
    rowsOf('Query', name).flatMap((row) =>
      row.ask === 'all' && isPaged('Query', name) ? [{ name, args: { ...row.args, first: 1 } }] : [],
    ),
  )
  expect(pages.length).toBeGreaterThan(5)
  for (const { name, args } of pages) {
    const page = await answerTo(administrator, 'Query', name, args)
    const { edges = [] } = (page.data?.[name] ?? {}) as { edges?: { cursor: string }[] }
    for (const { cursor: after } of edges)
      for (const principal of principals) {
        const answer = await answerTo(principal, 'Query', name, { ...args, after })
        expect(leaksTo(principal, textOf(answer)), name).toEqual([])
      }
  }
})

test('what is followed by its id is there for those who may see it, and for others as if it were not', async () => {
  const first = async (principal: Principal, name: string, args: object) => {
    await using feed = watch(
      world.wsUrl,
      operationFor('Subscription', name, Object.keys(args)),
      { ...args },
      await tokenOf(principal),
    )
    return await feed.until(() => true, 30_000)
  }
  async function faultsOf(principal: Principal, name: string, { of, args }: Row & { ask: 'each' }) {
    const absent = absentIds[of]
    const ofAbsent = without(textOf(await first(principal, name, args(absent))), absent)
    const things = community.things.filter(({ kind }) => kind === of)
    const faults = things.map(async ({ id, mayRead: may }) => {
      const text = textOf(await first(principal, name, args(id)))
      if (!may(principal)) return without(text, id) === ofAbsent ? [] : [`${name} tells of ${id}: ${text}`]
      const leaks = leaksTo(principal, text).map((word) => `${name} of ${id} tells ${word}`)
      return text.includes('"snapshot"') ? leaks : [...leaks, `${name} does not tell of ${id}`]
    })
    return (await Promise.all(faults)).flat().map((fault) => `${principal.name}: ${fault}`)
  }
  for (const name of rootFields('Subscription'))
    for (const row of rowsOf('Subscription', name))
      if (row.ask === 'each')
        expect((await Promise.all(principals.map((each) => faultsOf(each, name, row)))).flat()).toEqual([])
})

test('feeds tell each what they may see, and nothing of what is hidden or has just been', async () => {
  await using stack = new AsyncDisposableStack()
  const feeds = rootFields('Subscription').filter((name) => rowsOf('Subscription', name)[0]?.ask === 'all')
  const live = await Promise.all(
    principals.map(async (principal) => {
      const token = await tokenOf(principal)
      const opened = feeds.map((name) => ({
        name,
        feed: stack.use(watch(world.wsUrl, operationFor('Subscription', name, []), {}, token)),
      }))
      await Promise.all(opened.map(({ feed }) => feed.until(() => true, 30_000)))
      return { principal, opened }
    }),
  )
  const told = async (word: string, mayReadIt: (principal: Principal, name: string) => boolean) => {
    for (const { principal, opened } of live)
      for (const { name, feed } of opened)
        if (mayReadIt(principal, name))
          await feed
            .until((result) => textOf(result).includes(word), 30_000)
            .catch((error: unknown) => {
              throw new Error(`${name} does not tell ${principal.name} of ${word}`, { cause: error })
            })
  }
  const [agents, listings, incidents] = ['agentStatus', 'marketplaceActivity', 'incidentFeed']
  const faults = () =>
    live.flatMap(({ principal, opened }) =>
      opened.flatMap(({ name, feed }) =>
        feed.received.flatMap((result) =>
          leaksTo(principal, textOf(result)).map((word) => `${name} tells ${principal.name} ${word}`),
        ),
      ),
    )

  for (const visibility of visibilities) {
    const may = (principal: Principal) => mayRead(principal, visibility)
    const word = `zq${visibility.toLowerCase()}`
    await change(ask, { word, spoken: `${word}live`, version: '3.0.0', visibility })
    await told(`${word}live`, (principal, name) => may(principal) && name !== incidents)
    await worsen(world, community, word)
    await told(
      `${word}worse`,
      (principal, name) => may(principal) && principal.organization === owner && name === incidents,
    )
  }
  expect(faults()).toEqual([])

  // Two kinds of change at once: what all saw is hidden, and says more; then something public tells that all has come.
  const word = 'zqpublic'
  const hidden = {
    kind: 'agent',
    of: word,
    mayRead: (principal: Principal) => mayRead(principal, 'PRIVATE'),
  } as const
  community.secrets.push({ ...hidden, word: `${word}hidden` }, { ...hidden, word: `${word}after` })
  await change(ask, { word, spoken: `${word}hidden`, version: '4.0.0', visibility: 'PRIVATE' })
  await change(ask, { word, spoken: `${word}after`, version: '5.0.0', visibility: 'PRIVATE' })
  await told(`${word}after`, (principal, name) => principal === administrator && name !== incidents)
  await change(ask, { word: 'zwpublic', spoken: 'zwpublicbeacon', version: '2.0.0', visibility: 'PUBLIC' })
  await told('zwpublicbeacon', (_, name) => name === agents || name === listings)
  expect(faults()).toEqual([])

  // Who comes back later is told of what was hidden then as little as who stayed, whatever it is now.
  await change(ask, { word, spoken: `${word}open`, version: '6.0.0', visibility: 'PUBLIC' })
  await told(`${word}open`, (_, name) => name === agents || name === listings)
  expect(faults()).toEqual([])
  const versionIn = (name: string, result: Answer) => {
    const change = result.data?.[name] as { agentId?: string; listingId?: string; version: number } | null
    return (change?.agentId ?? change?.listingId) === `${owner}/${word}` ? change?.version : undefined
  }
  const comeBack = async (principal: Principal, name: string, before: Watch<Record<string, unknown>>) => {
    const last = before.received.flatMap((result) => versionIn(name, result) ?? []).at(-1)
    await using again = watch(
      world.wsUrl,
      operationFor('Subscription', name, ['after']),
      { after: cursorOf(before.received[0]) },
      await tokenOf(principal),
    )
    await again.until((result) => last !== undefined && versionIn(name, result) === last, 30_000)
    return again.received
      .flatMap((result) => leaksTo(principal, textOf(result)))
      .map((leak) => `${name} tells ${principal.name} ${leak} afterwards`)
  }
  const afterwards = live.flatMap(({ principal, opened }) =>
    opened.flatMap(({ name, feed }) => (name === incidents ? [] : comeBack(principal, name, feed))),
  )
  expect((await Promise.all(afterwards)).flat()).toEqual([])
})

async function faultsOfEach(
  root: Root,
  principal: Principal,
  name: string,
  { of, args, shows }: Row & { ask: 'each' },
): Promise<string[]> {
  const absent = absentIds[of]
  const things = community.things.filter(({ kind }) => kind === of)
  const hidden = things.filter((thing) => !thing.mayRead(principal))
  const expected = await answerTo(principal, root, name, args(absent))
  const ofAbsent = without(textOf(expected), absent)
  const ofHidden = hidden.map(async ({ id }) => {
    const told = without(textOf(await answerTo(principal, root, name, args(id))), id)
    return told === ofAbsent ? [] : [`${name} tells of ${id}: ${told}, of what is not there: ${ofAbsent}`]
  })
  // What is not hidden a mutation would change.
  const seen = root === 'Query' ? things.filter((thing) => thing.mayRead(principal)) : []
  const ofSeen = seen.map(async (thing) => {
    const answer = await answerTo(principal, root, name, args(thing.id))
    if (answer.data?.[name] != null) shown.add(name)
    const text = textOf(answer)
    return [
      ...leaksTo(principal, text).map((word) => `${name} of ${thing.id} tells ${word}`),
      ...missing(principal, text, shows, thing).map((word) => `${name} of ${thing.id} lacks ${word}`),
    ]
  })
  return (await Promise.all([...ofHidden, ...ofSeen])).flat()
}

async function faultsOfAll(principal: Principal, name: string, row: Row & { ask: 'all' }): Promise<string[]> {
  const answer = await answerTo(principal, 'Query', name, row.args)
  const text = textOf(answer)
  if (answer.data?.[name] != null) shown.add(name)
  // What a principal is refused altogether shows nothing.
  const shows = answer.data?.[name] == null ? [] : row.shows
  return [
    ...leaksTo(principal, text).map((word) => `${name} tells ${word}`),
    ...missing(principal, text, shows).map((word) => `${name} lacks ${word}`),
    ...countFaults(principal, name, row, answer.data?.[name]),
  ]
}

async function wrongCounts(principal: Principal, name: string, row: Row & { ask: 'all' }): Promise<string[]> {
  const answer = await answerTo(principal, 'Query', name, row.args)
  return countFaults(principal, name, row, answer.data?.[name])
}

function countFaults(
  principal: Principal,
  name: string,
  { counts }: Row & { ask: 'all' },
  found: unknown,
): string[] {
  if (!counts || found == null) return []
  const counted = counts.counted(found)
  const expected = counts.expected(seenBy(principal))
  if (isDeepStrictEqual(counted, expected)) return []
  return [`${name} counts ${JSON.stringify(counted)} instead of ${JSON.stringify(expected)}`]
}

function seenBy(principal: Principal): Seen {
  const known = community.offers.filter(({ visibility }) => mayRead(principal, visibility))
  const listed = known.filter(({ isListed }) => isListed)
  return { principal, known, listed, rich: listed.filter(isRich) }
}

const absentIds: Record<Thing['kind'], string> = {
  agent: `${owner}/absent`,
  listing: `${owner}/absent`,
  rating: '999999999',
  submission: '019a0000-0000-7000-8000-000000000000',
  certification: '019a0000-0000-7000-8000-000000000000',
  incident: 'absent',
  run: 'absent',
  step: 'absent/only/consent',
  catalogue: '019a0000-0000-7000-8000-000000000000',
  installation: '019a0000-0000-7000-8000-000000000000',
  webhook: '019a0000-0000-7000-8000-000000000000',
  delivery: '019a0000-0000-7000-8000-000000000000',
  verification: '019a0000-0000-7000-8000-000000000000',
  offer: '019a0000-0000-7000-8000-000000000000',
  claim: '019a0000-0000-7000-8000-000000000000',
}

const cursorOf = (result: Answer | undefined) =>
  (result?.extensions?.stream as { cursor: string } | undefined)?.cursor

const rowsOf = (root: Root, name: string): Row[] => [rows[root][name] ?? []].flat()

async function answerTo(principal: Principal, root: Root, name: string, args: object): Promise<Answer> {
  const answer = await ask<Record<string, unknown>>(
    principal,
    operationFor(root, name, Object.keys(args)),
    args,
  )
  expect(textOf(answer), name).not.toContain('"code":"internal"')
  expect(textOf(answer), name).not.toMatch(/graphql_validation_failed|operation_too_complex/)
  return answer
}

/** All that an answer says, also in its cursors, certificates and whatever else is in base64. */
function textOf(answer: Answer): string {
  const text = JSON.stringify(answer)
  const packed = text.match(/[\w-]{12,}/g) ?? []
  return [text, ...packed.map((part) => Buffer.from(part, 'base64url').toString('latin1'))]
    .join('\n')
    .toLowerCase()
}

const without = (text: string, id: string) => text.split('\n')[0]!.replaceAll(id, '<id>')

const leaksTo = (principal: Principal, text: string): string[] =>
  community.secrets.flatMap((secret) =>
    !secret.mayRead(principal) && text.includes(secret.word) ? [secret.word] : [],
  )

const missing = (principal: Principal, text: string, shows: readonly string[], thing?: Thing): string[] =>
  community.secrets.flatMap(({ kind, of, word, mayRead: may }) =>
    shows.includes(kind) && (!thing || thing.of === of) && may(principal) && !text.includes(word)
      ? [word]
      : [],
  )
