import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { inTransaction } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { Webhook as Standard } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings, type Subgraph } from '../../kit/subgraph.ts'
import { inboxTopics, topic } from '../events.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { subgraph } from '../index.ts'
import { startWebhooks } from './deliver.ts'
import { type Pace, usualPace } from './pace.ts'
import { noteAttempt, takeDue } from './queue.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let floor: MarketplaceFloor
let admin: Client
let organization: string
let count = 0

const quick: Pace = {
  ...usualPace,
  timeoutMs: 10_000,
  waitsMs: [10, 10],
  pollMs: 20,
  tidyMs: 50,
  room: { ...usualPace.room, leaseMs: 30_000 },
}

// The operator's own, which agents are called at.
const pool = 'http://10.9.9.9:4101/'

// What sends is started by each test itself.
const silent: Subgraph<MarketplaceFloor> = {
  ...subgraph,
  async start(opened) {
    floor = opened
    return { stop: async () => undefined }
  },
}

beforeAll(async () => {
  graph = stack.use(
    await testSubgraph(silent, inboxTopics, { AGENT_POOLS: JSON.stringify({ analytics: pool }) }),
  )
  admin = new Client(graph.databaseUrl)
  await admin.connect()
  stack.defer(() => admin.end())
})
afterAll(() => stack.disposeAsync())

beforeEach(() => {
  organization = `org${++count}`
})
afterEach(async () => {
  await admin.query('delete from marketplace.webhook')
})

const administrator = (of = organization): Caller => ({
  organization: of,
  scopes: ['org:admin', 'marketplace:write'],
})

const sending = (pace: Partial<Pace> = {}): AsyncDisposable => {
  const senders = startWebhooks(floor, { ...quick, ...pace })
  return { [Symbol.asyncDispose]: () => senders.stop() }
}

type Told = { id: string; headers: IncomingHttpHeaders; body: string }

/** An address that notes what it is told; `answer` is 204 where it is not given. */
async function receiver(answer?: RequestListener) {
  const told: Told[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      told.push({ id: String(request.headers['webhook-id']), headers: request.headers, body })
      if (answer) answer(request, response)
      else response.writeHead(204).end()
    })
  })
  return { told, ...(await listening(server)) }
}

async function listening(server: Pick<Server, 'listen' | 'close' | 'address'>, close?: () => void) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/told`,
    async [Symbol.asyncDispose]() {
      close?.()
      if ('closeAllConnections' in server) (server as Server).closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Hook = {
  id: string
  secret: string | null
  enabled: boolean
  disabledBecause: string | null
  failingSince: string | null
}
const hookFields = 'id secret enabled disabledBecause failingSince'
const typeOf: Record<string, string> = {
  createWebhook: 'CreateWebhookInput!',
  updateWebhook: 'UpdateWebhookInput!',
  rotateWebhookSecret: 'RotateWebhookSecretInput!',
}

/** The webhook, or the code that it is refused with. */
async function act(name: keyof typeof typeOf, input: object, caller = administrator()): Promise<Hook> {
  const { data, errors } = await graph.ask<Record<string, Hook>>(
    `mutation ($input: ${typeOf[name]}) { ${name}(input: $input) { ${hookFields} } }`,
    { input },
    caller,
  )
  return data?.[name] ?? (errors?.[0]?.extensions?.code as never)
}

const kinds = ['LISTING_PUBLISHED']
const create = async (url: string, more: object = {}, caller = administrator()) =>
  await act('createWebhook', { url, kinds, ...more }, caller)

type Delivery = {
  id: string
  eventId: string
  kind: string
  listingId: string | null
  state: string
  reason: string | null
  attempts: { statusCode: number | null; error: string | null; durationMs: number }[]
}
const deliveryFields = 'id eventId kind listingId state reason attempts { at statusCode durationMs error }'

/** Oldest first. */
async function deliveries(id: string, filter = {}, caller = administrator()): Promise<Delivery[]> {
  const { data, errors } = await graph.ask<{
    webhook: { deliveries: { totalCount: number; edges: { node: Delivery }[] } }
  }>(
    `query ($id: ID!, $filter: WebhookDeliveryFilter) { webhook(id: $id) {
       deliveries(filter: $filter, first: 200) { totalCount edges { node { ${deliveryFields} } } } } }`,
    { id, filter },
    caller,
  )
  if (!data) throw new Error(JSON.stringify(errors))
  const { totalCount, edges } = data.webhook.deliveries
  expect(totalCount).toBe(edges.length)
  return edges.map(({ node }) => node).toReversed()
}

const reached = async (id: string, ...states: string[]) =>
  await graph.eventually(
    () => deliveries(id),
    (all) => JSON.stringify(all.map(({ state }) => state)) === JSON.stringify(states),
  )

async function mutate(name: string, argument: string, id: string, caller = administrator()) {
  const { data, errors } = await graph.ask<Record<string, { id: string; state: string }>>(
    `mutation ($id: ID!) { ${name}(${argument}: $id) { id ${name === 'deleteWebhook' ? '' : 'state'} } }`,
    { id },
    caller,
  )
  return data?.[name] ?? errors?.[0]?.extensions?.code
}

let agents = 0
async function publish(owner = 'publisher', visibility = 'PUBLIC'): Promise<string> {
  const id = `${owner}/agent-${++agents}`
  graph.graphAgents.set(id, countingAgent(id, owner, visibility))
  const { errors } = await graph.ask(
    'mutation ($id: ID!) { publishListing(agentId: $id) { id } }',
    { id },
    administrator(owner),
  )
  expect(errors).toBeUndefined()
  return id
}

/** The agent's owner changes who sees it. */
async function show(id: string, visibility: string): Promise<void> {
  const [owner = ''] = id.split('/')
  await graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentStatusChange', id, 2, {
    agent: { ...countingAgent(id, owner, visibility), capabilities: ['count'] },
    status: 'ACTIVE',
    at: new Date(Date.now() + 1_000).toISOString(),
  })
  await graph.eventually(
    async () =>
      (await admin.query('select visibility from marketplace.listing where agent_id = $1', [id])).rows[0],
    (row) => row?.visibility === visibility,
  )
}

test('what happens is told as Standard Webhooks has it, and what is not so is known', async () => {
  await using there = await receiver()
  await using _ = sending()
  const { id, secret } = await create(there.url)
  const listingId = await publish()
  const [delivery] = await reached(id, 'DELIVERED')
  expect(delivery).toMatchObject({
    kind: 'LISTING_PUBLISHED',
    listingId,
    reason: null,
    attempts: [{ statusCode: 204, error: null }],
  })
  const [told] = there.told
  if (!told || secret === null) throw new Error('nothing was told')
  expect(told.id).toBe(delivery?.eventId)
  const verify = (body: string, by = secret) =>
    new Standard(by).verify(body, told.headers as Record<string, string>)
  expect(verify(told.body)).toMatchObject({
    type: 'listing.published',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: { __typename: 'ListingChange', listingId, kind: 'PUBLISHED', listing: { title: listingId } },
  })
  expect(() => verify(told.body.replace('PUBLISHED', 'WITHDRAWN'))).toThrow('No matching signature')
  expect(() =>
    verify(told.body, `whsec_${Buffer.from('another one of enough bytes').toString('base64')}`),
  ).toThrow('No matching signature')
})

test('what fails is tried again with the same id and body, until it is taken', async () => {
  const answers = [500, 503, 200]
  await using there = await receiver((_, response) => void response.writeHead(answers.shift() ?? 200).end())
  await using _ = sending()
  const { id } = await create(there.url)
  await publish()
  const [delivery] = await reached(id, 'DELIVERED')
  expect(delivery?.attempts.map(({ statusCode, error }) => [statusCode, error])).toEqual([
    [500, 'HTTP 500'],
    [503, 'HTTP 503'],
    [200, null],
  ])
  expect(new Set(there.told.map((each) => each.id)).size).toBe(1)
  expect(new Set(there.told.map(({ body }) => body)).size).toBe(1)
})

test('whoever wants to be left alone for a while is', async () => {
  await using there = await receiver(
    (_, response) => void response.writeHead(429, { 'retry-after': '3600' }).end(),
  )
  await using _ = sending()
  const { id } = await create(there.url)
  await publish()
  await graph.eventually(
    () => deliveries(id),
    ([delivery]) => delivery?.attempts.length === 1,
  )
  const { rows } = await admin.query(
    `select due_at > now() + interval '59 minutes' as later from marketplace.webhook_delivery`,
  )
  expect(rows).toEqual([{ later: true }])
})

test('after the last attempt it is dead, and can be handed in once more', async () => {
  let status = 500
  await using there = await receiver((_, response) => void response.writeHead(status).end())
  await using _ = sending()
  const { id } = await create(there.url)
  await publish()
  const [dead] = await reached(id, 'DEAD')
  expect(dead?.reason).toBe('3 attempts failed; the last: HTTP 500')
  expect(dead?.attempts).toHaveLength(3)
  status = 200
  expect(await mutate('redeliver', 'deliveryId', dead!.id)).toEqual({ id: dead!.id, state: 'PENDING' })
  const [delivered] = await reached(id, 'DELIVERED')
  expect(delivered?.attempts.map(({ statusCode }) => statusCode)).toEqual([500, 500, 500, 200])
  expect(new Set(there.told.map((each) => each.id)).size).toBe(1)
})

test('what is on its way is not handed in twice', async () => {
  await using there = await receiver()
  const { id } = await create(there.url)
  await publish()
  const [waiting] = await reached(id, 'PENDING')
  expect(await mutate('redeliver', 'deliveryId', waiting!.id)).toBe('CONFLICT')
})

test('who never answers keeps nobody else waiting', async () => {
  let atOnce = 0
  await using silence = await receiver(() => void atOnce++)
  await using there = await receiver()
  const theirs = administrator(`${organization}-hanging`)
  const hanging = await create(silence.url, {}, theirs)
  const good = await create(there.url)
  for (let n = 0; n < 6; n++) await publish()
  await reachedAll(12, 'PENDING')
  await using _ = sending({ slots: 10, timeoutMs: 60_000 })
  await reached(good.id, ...Array<string>(6).fill('DELIVERED'))
  expect(new Set(there.told.map((each) => each.id)).size).toBe(6)
  expect(atOnce).toBe(usualPace.room.perWebhook)
  const waiting = await deliveries(hanging.id, {}, theirs)
  expect(waiting.map(({ state, attempts }) => `${state} ${attempts.length}`)).toEqual(
    Array<string>(6).fill('PENDING 0'),
  )
})

test('those that fail have half of the places at most, and each of them one', async () => {
  let atOnce = 0
  await using silence = await receiver(() => void atOnce++)
  await using there = await receiver()
  for (const each of ['a', 'b', 'c']) await create(silence.url, {}, administrator(`${organization}-${each}`))
  await admin.query('update marketplace.webhook set failing_since = now()')
  const good = await create(there.url)
  await publish()
  await publish()
  await reached(good.id, 'PENDING', 'PENDING')
  await using _ = sending({ slots: 4, timeoutMs: 60_000 })
  await reached(good.id, 'DELIVERED', 'DELIVERED')
  await graph.eventually(
    async () => atOnce,
    (n) => n >= 2,
  )
  await publish()
  await reached(good.id, 'DELIVERED', 'DELIVERED', 'DELIVERED')
  expect(atOnce).toBe(2)
})

test('an organization has its share of the places, however many webhooks it has', async () => {
  let atOnce = 0
  await using silence = await receiver(() => void atOnce++)
  await using there = await receiver()
  for (let n = 0; n < 10; n++) await create(silence.url, {}, administrator(`${organization}-greedy`))
  const good = await create(there.url)
  await publish()
  await publish()
  await reached(good.id, 'PENDING', 'PENDING')
  await using _ = sending({ slots: 12, timeoutMs: 60_000 })
  await reached(good.id, 'DELIVERED', 'DELIVERED')
  await graph.eventually(
    async () => atOnce,
    (n) => n >= usualPace.room.perOrganization,
  )
  await publish()
  await reached(good.id, 'DELIVERED', 'DELIVERED', 'DELIVERED')
  expect(atOnce).toBe(usualPace.room.perOrganization)
})

test('a redirect is not followed', async () => {
  await using elsewhere = await receiver()
  await using there = await receiver(
    (_, response) => void response.writeHead(302, { location: elsewhere.url }).end(),
  )
  await using _ = sending({ waitsMs: [] })
  const { id } = await create(there.url)
  await publish()
  const [dead] = await reached(id, 'DEAD')
  expect(dead?.attempts).toMatchObject([{ statusCode: 302, error: 'HTTP 302: redirects are not followed' }])
  expect(elsewhere.told).toEqual([])
})

test('of an answer without an end little is read, and its status counts', async () => {
  let bytes = 0
  const closed = Promise.withResolvers<void>()
  await using there = await receiver((_, response) => {
    response.writeHead(200)
    const chunk = Buffer.alloc(64 * 1024)
    const pour = () => {
      while (response.write(chunk)) bytes += chunk.length
    }
    response.on('drain', pour).on('close', () => closed.resolve())
    pour()
  })
  await using _ = sending()
  const { id } = await create(there.url)
  await publish()
  await reached(id, 'DELIVERED')
  await closed.promise
  expect(bytes).toBeLessThan(16 * 1024 * 1024)
})

test('who answers byte by byte has no more time than others', async () => {
  const sockets = new Set<Socket>()
  const drip = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).write('HTTP/1.1 200 OK\r\nx-slow: ')
    const timer = setInterval(() => socket.write('.'), 20)
    socket.on('close', () => clearInterval(timer))
  })
  await using there = await listening(drip as unknown as Server, () => {
    for (const socket of sockets) socket.destroy()
  })
  await using _ = sending({ timeoutMs: 300, waitsMs: [] })
  const { id } = await create(there.url)
  await publish()
  const [dead] = await reached(id, 'DEAD')
  expect(dead?.attempts).toMatchObject([{ statusCode: null, error: 'no answer within 300 ms' }])
})

test.each([
  ['http://10.0.0.1/'],
  ['https://169.254.169.254/latest/meta-data'],
  ['https://[::1]/'],
  ['http://8.8.8.8/'],
  ['https://user:secret@8.8.8.8/'],
  ['ftp://8.8.8.8/'],
  ['nowhere'],
  [`https://8.8.8.8/${'x'.repeat(2_000)}`],
])('nobody can be told at %s', async (url) => {
  const { errors } = await graph.ask(
    'mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { id } }',
    { input: { url, kinds } },
    administrator(),
  )
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', argument: 'input.url' })
})

test.each([
  ['https://10.0.0.1/', '10.0.0.1 is not a public address'],
  [pool, '10.9.9.9 is not a public address'],
  ['http://8.8.8.8/', '8.8.8.8 is called by https only'],
])('what the operator does not allow by the time of sending is not called: %s', async (url, refusal) => {
  await using there = await receiver()
  await using _ = sending({ waitsMs: [] })
  const { id } = await create(there.url)
  await admin.query('update marketplace.webhook set url = $2 where id = $1', [id, url])
  await publish()
  const [dead] = await reached(id, 'DEAD')
  expect(dead?.attempts).toMatchObject([{ statusCode: null, error: expect.stringContaining(refusal) }])
})

const noted = async () => (await admin.query('select from marketplace.webhook_delivery')).rowCount

test('what is hidden is not told, and what has been hidden since shows nowhere', async () => {
  await using there = await receiver()
  const { id } = await create(there.url)
  await publish('publisher', 'ORGANIZATION')
  const hidden = await publish()
  const seen = await publish()
  await reached(id, 'PENDING', 'PENDING')
  expect(await noted()).toBe(2)
  await show(hidden, 'ORGANIZATION')
  expect((await deliveries(id)).map(({ listingId }) => listingId)).toEqual([seen])
  await using _ = sending()
  await reached(id, 'DELIVERED')
  await graph.eventually(noted, (left) => left === 1)
  expect(there.told.map(({ body }) => JSON.parse(body).data.listingId)).toEqual([seen])
})

test('what is PRIVATE to the own organization is told where its administrators want that', async () => {
  await using there = await receiver()
  await using elsewhere = await receiver()
  const all = await create(there.url, { includePrivate: true })
  const most = await create(elsewhere.url)
  const secret = await publish(organization, 'PRIVATE')
  const own = await publish(organization, 'ORGANIZATION')
  await publish('publisher', 'PRIVATE')
  const told = async ({ id }: Hook) => (await deliveries(id)).map(({ listingId }) => listingId)
  await reached(all.id, 'PENDING', 'PENDING')
  expect(await noted()).toBe(3)
  await using _ = sending()
  await reached(most.id, 'DELIVERED')
  await reached(all.id, 'DELIVERED', 'DELIVERED')
  expect(await told(most)).toEqual([own])
  expect(await told(all)).toEqual([secret, own])
})

test('partners are told of what is for partners', async () => {
  await using there = await receiver()
  await using _ = sending()
  const { id } = await create(there.url)
  const stranger = await create(there.url, {}, administrator(`${organization}-stranger`))
  await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', organization, 1, {
    organization: { id: `${organization}-friend` },
    partnerIds: [organization],
    version: 1,
  })
  await graph.eventually(
    async () =>
      (await admin.query('select from marketplace.partner where partner_id = $1', [organization])).rowCount,
    (n) => n === 1,
  )
  const listingId = await publish(`${organization}-friend`, 'PARTNERS')
  expect((await reached(id, 'DELIVERED')).map((each) => each.listingId)).toEqual([listingId])
  expect(await deliveries(stranger.id, {}, administrator(`${organization}-stranger`))).toEqual([])
})

test('a new secret signs beside the old one for a while, or at once alone', async () => {
  await using there = await receiver()
  await using _ = sending()
  const { id, secret: first } = await create(there.url)
  const { secret: second } = await act('rotateWebhookSecret', { id })
  const { secret: third } = await act('rotateWebhookSecret', { id, overlapMinutes: 60 })
  await publish()
  await reached(id, 'DELIVERED')
  const knows = (told: Told | undefined, secret: string | null) => {
    try {
      new Standard(secret ?? '').verify(told?.body ?? '', (told?.headers ?? {}) as Record<string, string>)
      return true
    } catch {
      return false
    }
  }
  expect([first, second, third].map((secret) => knows(there.told[0], secret))).toEqual([false, true, true])
  const { secret: fourth } = await act('rotateWebhookSecret', { id, overlapMinutes: 0 })
  await publish()
  await reached(id, 'DELIVERED', 'DELIVERED')
  expect([third, fourth].map((secret) => knows(there.told[1], secret))).toEqual([false, true])
  expect(await act('rotateWebhookSecret', { id, overlapMinutes: -1 })).toBe('BAD_USER_INPUT')
})

test('a secret is told once, and kept so that nobody reads it in the database', async () => {
  await using there = await receiver()
  const { id, secret } = await create(there.url)
  expect(secret).toMatch(/^whsec_/)
  const { data } = await graph.ask<{ webhooks: object[] }>('{ webhooks { id secret } }', {}, administrator())
  expect(data?.webhooks).toEqual([{ id, secret: null }])
  const { rows } = await admin.query('select secret from marketplace.webhook where id = $1', [id])
  expect(rows[0].secret).not.toContain(secret!.slice('whsec_'.length))
})

test("another's secret does not sign, and whose can not be read is disabled and told why", async () => {
  await using there = await receiver()
  await using _ = sending()
  const { id } = await create(there.url)
  await create(there.url, {}, administrator('somebody'))
  await admin.query(
    `update marketplace.webhook set secret = (select secret from marketplace.webhook where organization_id = 'somebody')
     where id = $1`,
    [id],
  )
  await publish()
  await reached(id, 'DEAD')
  expect(await read(id)).toMatchObject({
    enabled: false,
    disabledBecause: expect.stringContaining('rotate it'),
  })
  await act('rotateWebhookSecret', { id, overlapMinutes: 0 })
  await act('updateWebhook', { id, enabled: true })
  await publish()
  await reached(id, 'DEAD', 'DELIVERED')
})

async function read(id: string, caller = administrator()): Promise<Hook | null> {
  const { data, errors } = await graph.ask<{ webhook: Hook | null }>(
    `query ($id: ID!) { webhook(id: $id) { ${hookFields} } }`,
    { id },
    caller,
  )
  if (!data || errors) throw new Error(String(errors?.[0]?.extensions?.code))
  return data.webhook
}

test('several senders share the work, and send each once', async () => {
  await using there = await receiver(
    (_, response) => void setTimeout(() => response.writeHead(200).end(), 10),
  )
  const hooks = await Promise.all(
    [1, 2, 3, 4].map((n) => create(there.url, {}, administrator(`${organization}-${n}`))),
  )
  for (let n = 0; n < 8; n++) await publish()
  await reachedAll(32, 'PENDING')
  await using _one = sending({ slots: 3 })
  await using _two = sending({ slots: 3 })
  await using _three = sending({ slots: 3 })
  await reachedAll(32, 'DELIVERED')
  expect(hooks).toHaveLength(4)
  expect(there.told).toHaveLength(32)
})

const reachedAll = async (n: number, state: string) =>
  await graph.eventually(
    async () =>
      (await admin.query('select from marketplace.webhook_delivery where state = $1', [state])).rowCount,
    (found) => found === n,
  )

test('what somebody took who was killed goes out when the lease is over, and the dead one has no say', async () => {
  await using there = await receiver()
  const { id } = await create(there.url)
  await publish()
  await reached(id, 'PENDING')
  const room = { failing: false, free: 1, perWebhook: 1, perOrganization: 1, leaseMs: 200 }
  const internally = <T>(fn: Parameters<typeof inTransaction<T>>[2]) =>
    inTransaction(floor.pool, internalSettings, fn)
  const [taken] = await internally((tx) => takeDue(tx, room))
  expect(await internally((tx) => takeDue(tx, room))).toEqual([])
  await using _ = sending()
  const [delivery] = await reached(id, 'DELIVERED')
  expect(there.told).toHaveLength(1)
  const late = { statusCode: 500, error: 'HTTP 500', durationMs: 1, retryAfterMs: 0 }
  expect(await internally((tx) => noteAttempt(tx, taken!, late, { state: 'DEAD', reason: 'late' }))).toBe(
    false,
  )
  expect((await deliveries(id))[0]).toEqual(delivery)
})

test('whoever stops gives back what it could not end', async () => {
  let hangs = true
  await using there = await receiver((_, response) => void (hangs || response.writeHead(200).end()))
  const { id } = await create(there.url)
  await publish()
  {
    await using _ = sending()
    await graph.eventually(
      async () => there.told.length,
      (n) => n === 1,
    )
  }
  hangs = false
  await using _ = sending()
  const [delivery] = await reached(id, 'DELIVERED')
  expect(delivery?.attempts).toHaveLength(1)
})

test('a webhook that is deleted while it is told ends there', async () => {
  const arrived = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  await using there = await receiver((_, response) => {
    arrived.resolve()
    void goOn.promise.then(() => response.writeHead(200).end())
  })
  await using elsewhere = await receiver()
  await using _ = sending({ room: { ...quick.room, perWebhook: 1 } })
  const { id } = await create(there.url)
  const other = await create(elsewhere.url)
  await publish()
  await publish()
  await arrived.promise
  expect(await mutate('deleteWebhook', 'id', id)).toEqual({ id })
  goOn.resolve()
  await publish()
  await reached(other.id, 'DELIVERED', 'DELIVERED', 'DELIVERED')
  expect(await read(id)).toBeNull()
  expect(there.told).toHaveLength(1)
})

test('who is gone is told no more, until its organization wants it again', async () => {
  let status = 410
  await using there = await receiver((_, response) => void response.writeHead(status).end())
  await using _ = sending()
  await using elsewhere = await receiver()
  const { id } = await create(there.url)
  const other = await create(elsewhere.url)
  await publish()
  const [dead] = await reached(id, 'DEAD')
  expect(dead?.attempts).toHaveLength(1)
  expect(await read(id)).toMatchObject({ enabled: false, disabledBecause: 'it answered 410 Gone' })
  expect(await mutate('testWebhook', 'id', id)).toBe('CONFLICT')
  expect(await mutate('redeliver', 'deliveryId', dead!.id)).toBe('CONFLICT')
  await publish()
  await reached(other.id, 'DELIVERED', 'DELIVERED')
  status = 200
  expect(await act('updateWebhook', { id, enabled: true })).toMatchObject({
    enabled: true,
    failingSince: null,
  })
  await publish()
  await reached(id, 'DEAD', 'DELIVERED')
  expect((await audit()).at(-2)).toMatchObject({
    action: 'webhook.disable',
    actor: 'marketplace',
    subject: id,
  })
})

test('to which nothing could be delivered for days is disabled, with what waits', async () => {
  await using there = await receiver((_, response) => void response.writeHead(500).end())
  await using _ = sending({ waitsMs: [3_600_000] })
  const { id } = await create(there.url)
  await publish()
  await graph.eventually(
    () => read(id),
    (hook) => hook?.failingSince !== null,
  )
  await admin.query(`update marketplace.webhook set failing_since = now() - interval '5 days'`)
  await publish()
  const dead = await reached(id, 'DEAD', 'DEAD')
  const because = 'nothing could be delivered for 5 days; at last: HTTP 500'
  expect(await read(id)).toMatchObject({ enabled: false, disabledBecause: because })
  expect(dead.map(({ reason }) => reason)).toEqual(Array(2).fill(`the webhook was disabled: ${because}`))
})

test('what waits is bounded, and what is old is forgotten', async () => {
  await using there = await receiver((_, response) => void response.writeHead(500).end())
  await using _ = sending({ waitsMs: [3_600_000], keep: { mostPending: 2, keptMs: 86_400_000 } })
  const { id } = await create(there.url)
  for (let n = 0; n < 4; n++) await publish()
  const [oldest] = await reached(id, 'DEAD', 'DEAD', 'PENDING', 'PENDING')
  expect(oldest?.reason).toBe('it was not sent: more than 2 were waiting, and it was the oldest')
  await admin.query(
    `update marketplace.webhook_event set noted_at = now() - interval '2 days' where id = $1`,
    [oldest?.eventId],
  )
  await reached(id, 'DEAD', 'PENDING', 'PENDING')
})

test('an event that the log gives twice is told once, and one of before the webhook not at all', async () => {
  await using there = await receiver()
  const listingId = await publish()
  const { id } = await create(there.url, { kinds: ['LISTING_RATED'] })
  const happened = async (id: string, afterMs: number) => {
    const at = new Date(Date.now() + afterMs).toISOString()
    const value = JSON.stringify({ listingId, kind: 'RATED', version: 2, at })
    const headers = { ce_id: id, ce_type: 'ossa.marketplace.ListingChange', ce_aggregateversion: '2' }
    await graph.eventLog.append(topic, [{ key: listingId, headers, value }])
  }
  const [before, twice, last] = [randomUUID(), randomUUID(), randomUUID()]
  await happened(before, -60_000)
  await happened(twice, 1_000)
  await happened(twice, 1_000)
  await happened(last, 1_000)
  const all = await reached(id, 'PENDING', 'PENDING')
  expect(all.map(({ eventId }) => eventId)).toEqual([twice, last])
})

test('a webhook is told of what it wants, and of nothing that happened before', async () => {
  await using there = await receiver()
  const [before, later] = [await publish(), await publish()]
  const one = await create(there.url, { kinds: ['LISTING_DEPRECATED'], listingIds: [before, later] })
  const none = await create(there.url, { kinds: ['LISTING_DEPRECATED'], categories: ['worker.other'] })
  const every = await create(there.url, { kinds: ['LISTING_DEPRECATED', 'LISTING_PUBLISHED'] })
  const deprecate = async (listingId: string) =>
    await graph.ask(
      'mutation ($input: DeprecateListingInput!) { deprecateListing(input: $input) { id } }',
      { input: { listingId, reason: 'old' } },
      administrator('publisher'),
    )
  await deprecate(later)
  const another = await publish()
  await deprecate(another)
  const told = async ({ id }: Hook) => (await deliveries(id)).map(({ kind, listingId }) => [kind, listingId])
  await reached(every.id, 'PENDING', 'PENDING', 'PENDING')
  expect(await told(one)).toEqual([['LISTING_DEPRECATED', later]])
  expect(await told(none)).toEqual([])
  expect(await deliveries(every.id, { kind: ['LISTING_PUBLISHED'], state: ['PENDING'] })).toHaveLength(1)
  expect(await deliveries(every.id, { state: ['DEAD'] })).toEqual([])
  await act('updateWebhook', { id: none.id, categories: null, kinds: ['LISTING_PUBLISHED'] })
  const newest = await publish()
  await reached(none.id, 'PENDING')
  expect(await told(none)).toEqual([['LISTING_PUBLISHED', newest]])
})

test('submissions and installations are told to those whose they are', async () => {
  await using there = await receiver()
  await using _ = sending()
  const wanted = { kinds: ['SUBMISSION_CHANGED', 'INSTALLATION_CHANGED'] }
  const { id } = await create(there.url, wanted)
  const stranger = await create(there.url, wanted, administrator(`${organization}-stranger`))
  const agentId = `${organization}/submitted`
  graph.graphAgents.set(agentId, countingAgent(agentId, organization))
  await graph.ask(
    'mutation ($input: CreateSubmissionInput!) { createSubmission(input: $input) { id } }',
    { input: { agentId } },
    administrator(),
  )
  await reached(id, 'DELIVERED')
  const others = await publish()
  const installation = { id: randomUUID(), organizationId: organization, agentId: others, state: 'INSTALLED' }
  await graph.tell(topic, 'ossa.marketplace.InstallationChange', installation.id, 1, {
    id: installation.id,
    installation,
    version: 1,
    at: new Date(Date.now() + 1_000).toISOString(),
  })
  await reached(id, 'DELIVERED', 'DELIVERED')
  expect(there.told.map(({ body }) => JSON.parse(body))).toMatchObject([
    { type: 'submission.changed', data: { submission: { agentId, status: 'DRAFT' } } },
    { type: 'installation.changed', data: { installation } },
  ])
  expect(await deliveries(stranger.id, {}, administrator(`${organization}-stranger`))).toEqual([])
})

test('a ping is sent when it is asked for', async () => {
  await using there = await receiver()
  await using _ = sending()
  const { id } = await create(there.url)
  expect(await mutate('testWebhook', 'id', id)).toMatchObject({ state: 'PENDING' })
  await reached(id, 'DELIVERED')
  expect(JSON.parse(there.told[0]?.body ?? '')).toMatchObject({ type: 'ping', data: { webhookId: id } })
})

type Entry = { action: string; actor: string; subject: string; details: object }

async function audit(): Promise<Entry[]> {
  const { data } = await graph.ask<{ auditLog: { edges: { node: { event: Entry } }[] } }>(
    '{ auditLog(first: 500) { edges { node { event } } } }',
    {},
    administrator(),
  )
  return data?.auditLog.edges.map(({ node }) => node.event) ?? []
}

test("webhooks are their administrators': others see none, and what is done is on record", async () => {
  await using there = await receiver()
  const { id } = await create(there.url)
  const member = { organization, scopes: ['marketplace:write'] }
  const stranger = administrator(`${organization}-stranger`)
  expect(await create(there.url, {}, member)).toBe('FORBIDDEN')
  await expect(read(id, member)).rejects.toThrow('FORBIDDEN')
  await publish()
  const [delivery] = await reached(id, 'PENDING')
  expect(await read(id, stranger)).toBeNull()
  expect(await mutate('deleteWebhook', 'id', id, stranger)).toBe('NOT_FOUND')
  expect(await mutate('testWebhook', 'id', id, stranger)).toBe('NOT_FOUND')
  expect(await mutate('redeliver', 'deliveryId', delivery!.id, stranger)).toBe('NOT_FOUND')
  expect(await act('updateWebhook', { id, enabled: false }, stranger)).toBe('NOT_FOUND')
  expect(await act('rotateWebhookSecret', { id: 'no id' }, stranger)).toBe('NOT_FOUND')
  expect(await act('updateWebhook', { id, enabled: false })).toMatchObject({
    disabledBecause: 'an administrator has switched it off',
  })
  await act('rotateWebhookSecret', { id })
  await mutate('deleteWebhook', 'id', id)
  const actor = `someone of ${organization}`
  const details = { host: new URL(there.url).host }
  expect(await audit()).toMatchObject(
    ['create', 'update', 'rotate-secret', 'delete'].map((what) => ({
      action: `webhook.${what}`,
      actor,
      subject: id,
      details,
    })),
  )
})

test('an organization has at most ten, also where it makes them all at once', async () => {
  await using there = await receiver()
  const made = await Promise.all(Array.from({ length: 12 }, () => create(there.url)))
  expect(made.filter((each) => (each as unknown) === 'CONFLICT')).toHaveLength(2)
})

test.each([
  ['kinds', { kinds: [] }],
  ['kinds', { kinds: ['PING'] }],
  ['listingIds', { listingIds: [] }],
  ['listingIds', { listingIds: Array.from({ length: 101 }, (_, n) => `acme/a${n}`) }],
  ['categories', { categories: [''] }],
])('%s that can not be meant are refused', async (name, more) => {
  const { errors } = await graph.ask(
    'mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) { id } }',
    { input: { url: 'http://127.0.0.1/', kinds, ...more } },
    administrator(),
  )
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', argument: `input.${name}` })
})
