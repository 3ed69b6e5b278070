import { createPool, inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { record } from '@community/subgraphs/agents/incidents/record.ts'
import { incidentsById } from '@community/subgraphs/agents/incidents/store.ts'
import { announceProgress } from '@community/subgraphs/certification/events.ts'
import { certificationsById } from '@community/subgraphs/certification/store.ts'
import { internalSettings } from '@community/subgraphs/kit/subgraph.ts'
import type { Answer } from '../../client.ts'
import {
  administrator,
  home,
  mayRead,
  owner,
  type Principal,
  partner,
  stranger,
  type Visibility,
} from './principals.ts'

/** An agent of the owner's, with a word that is in all that is said of it and nowhere else. */
export type Offer = { id: string; word: string; visibility: Visibility; category: string; isListed: boolean }

/** A word that some may read; `of` is the word of its offer. */
export type Secret = {
  kind: SecretKind
  of: string
  word: string
  mayRead: (principal: Principal) => boolean
}

type SecretKind =
  | 'agent'
  | 'unlisted'
  | 'old version'
  | 'change'
  | 'comment'
  | 'reply'
  | 'held rating'
  | 'report'
  | 'submission'
  | 'certification'
  | 'incident'
  | 'member'
  | 'run'
  | 'catalogue'
  | 'webhook'
  | 'domain'
  | 'offer'
  | 'claim'

/** Something that has an id; `of` is the word of its offer. */
export type Thing = { kind: ThingKind; id: string; of: string; mayRead: (principal: Principal) => boolean }

export type ThingKind =
  | 'agent'
  | 'listing'
  | 'rating'
  | 'submission'
  | 'certification'
  | 'incident'
  | 'run'
  | 'step'
  | 'catalogue'
  | 'installation'
  | 'webhook'
  | 'delivery'
  | 'verification'
  | 'offer'
  | 'claim'

export type Community = { offers: Offer[]; secrets: Secret[]; things: Thing[] }

export type Ask = <T>(principal: Principal, operation: string, variables?: object) => Promise<Answer<T>>

export const visibilities: readonly Visibility[] = ['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']
export const sharedCategory = 'worker.kestrel'

/** Of which others have said something: certified, rated, reported, submitted, used, and what went wrong. */
export const isRich = ({ word, isListed }: Offer): boolean => isListed && word.startsWith('zq')

type World = { adminUrl: string }

/** All that the matrix is about: what was public until its second version, with all that others said of it, and what never was. */
export async function makeCommunity(world: World, ask: Ask): Promise<Community> {
  const community: Community = { offers: [], secrets: [], things: [] }
  const act = acting(ask)
  await admit(act)
  for (const visibility of visibilities) await makeRich(world, act, community, visibility)
  for (const visibility of visibilities) await makePlain(act, community, visibility)
  await makeUnlisted(act, community)
  const id = (word: string) => `${owner}/${word}`
  await act.administrator('deprecateListing', {
    input: { listingId: id('zqpublic'), reason: 'It moults.', successorId: id('zqprivate') },
  })
  await act.administrator('deprecateListing', {
    input: { listingId: id('zqpartners'), reason: 'It moults.', successorId: id('zqorganization') },
  })
  await act.administrator('setMember', { input: { subject: 'zqmember', role: 'MEMBER' } })
  community.secrets.push({ kind: 'member', of: 'zqmember', word: 'zqmember', mayRead: isOwn })
  await makeRuns(act, community)
  await makeCatalogs(act, community)
  await makeShared(world, act, community)
  await makeWebhook(act, community)
  return community
}

/** The manifest of an agent that says its words wherever it can. */
function manifestOf(
  word: string,
  spoken: string,
  version: string,
  visibility: Visibility,
  subtype: string,
  role = spoken,
  namespace = owner,
) {
  const schema = { type: 'object' }
  const example = (n: number) => ({ description: `Where does the kestrel hover, number ${n}?`, input: { n } })
  return JSON.stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: { name: word, version, description: `Watches a kestrel: ${spoken}.`, namespace },
    spec: {
      type: 'worker',
      subtype,
      role: `You watch ${role}.`,
      visibility,
      capabilities: [
        {
          name: spoken,
          description: `Watches ${spoken}.`,
          input: schema,
          output: schema,
          examples: [1, 2, 3].map(example),
        },
      ],
    },
  })
}

type Change = { word: string; spoken: string; version: string; visibility: Visibility }

/** Another version of an agent, which says something else. */
export async function change(ask: Ask, { word, spoken, version, visibility }: Change): Promise<void> {
  const source = manifestOf(word, spoken, version, visibility, `worker.${spoken}`)
  await acting(ask).administrator('registerAgent', { source })
}

/** Something more goes wrong with what an incident is about. */
export async function worsen({ adminUrl }: World, { secrets }: Community, of: string): Promise<void> {
  const before = secrets.find((secret) => secret.kind === 'incident' && secret.of === of)!
  const word = `${of}worse`
  secrets.push({ ...before, word })
  await inRole(adminUrl, 'agents', async (tx) => {
    const [incident] = await incidentsById(tx, [before.word])
    await record(tx, incident!, { kind: 'CAUSE', text: word }, {}, new Date())
  })
}

type Acting = {
  administrator<T = unknown>(field: string, variables: object, selection?: string): Promise<T>
  as<T = unknown>(principal: Principal, field: string, variables: object, selection?: string): Promise<T>
}

const argumentTypes: Record<string, string> = {
  source: 'String!',
  agentId: 'ID!',
  organizationId: 'ID!',
  listingId: 'ID!',
  id: 'ID!',
}

function acting(ask: Ask): Acting {
  async function as<T>(principal: Principal, field: string, variables: object, selection = '__typename') {
    const [name = ''] = Object.keys(variables)
    const root = field === 'myRating' ? 'query' : 'mutation'
    const type = argumentTypes[name] ?? `${field[0]!.toUpperCase()}${field.slice(1)}Input!`
    const operation = `${root} ($${name}: ${type}) { done: ${field}(${name}: $${name}) { ${selection} } }`
    const { data, errors } = await ask<{ done: T }>(principal, operation, variables)
    if (!data || errors) throw new Error(`${field}: ${JSON.stringify(errors)}`)
    return data.done
  }
  return { as, administrator: (...args) => as(administrator, ...args) }
}

const of = (organization: string, ...scopes: string[]): Principal => ({
  name: organization,
  subject: `someone of ${organization}`,
  organization,
  scopes,
})

const isOwn = ({ organization }: Principal) => organization === owner
const isHome = ({ organization }: Principal) => organization === home
const isAdministrator = ({ scopes }: Principal) => scopes.includes('org:admin')
const isModerator = ({ scopes }: Principal) => scopes.includes('marketplace:moderate')

async function admit(act: Acting): Promise<void> {
  for (const organization of [partner, stranger])
    await act.as(of(organization, 'org:admin'), 'updateOrganization', {
      input: { description: 'Looks around.' },
    })
  await act.administrator('updateOrganization', { input: { description: 'Watches birds.' } })
  await act.administrator('addPartner', { organizationId: partner })
}

async function makeRich(
  { adminUrl }: World,
  act: Acting,
  { offers, secrets, things }: Community,
  visibility: Visibility,
): Promise<void> {
  const word = `zq${visibility.toLowerCase()}`
  const id = `${owner}/${word}`
  const category = `worker.${word}agent`
  const isSeen = (principal: Principal) => mayRead(principal, visibility)
  const isSeenByOwn = (principal: Principal) => isSeen(principal) && isOwn(principal)
  const isSeenByModerators = (principal: Principal) => isSeen(principal) && isModerator(principal)
  const secret = (kind: SecretKind, ending: string, may: Secret['mayRead']) => {
    secrets.push({ kind, of: word, word: `${word}${ending}`, mayRead: may })
    return `${word}${ending}`
  }
  const thing = (kind: ThingKind, its: string, may: Thing['mayRead']) =>
    things.push({ kind, id: its, of: word, mayRead: may })

  offers.push({ id, word, visibility, category, isListed: true })
  thing('agent', id, isSeen)
  thing('listing', id, isSeen)
  // The version was for all: what it could do is compared with the next for whoever sees the agent, its manifest is not shown.
  const old = secret('change', 'old', isSeen)
  const role = secret('old version', 'role', isSeenByOwn)
  await act.administrator('registerAgent', {
    source: manifestOf(word, old, '1.0.0', 'PUBLIC', 'worker.kestrel-old', role),
  })
  await act.administrator('publishListing', { agentId: id })

  const rate = async (organization: string, comment: string) => {
    await act.as(of(organization), 'rateListing', { input: { listingId: id, stars: 4, comment } })
    return (await act.as<{ id: string }>(of(organization), 'myRating', { listingId: id }, 'id')).id
  }
  const counted = await rate('lyra', secret('comment', 'comment', isSeen))
  await act.administrator('replyToRating', {
    input: { ratingId: counted, text: secret('reply', 'reply', isSeen) },
  })
  thing('rating', counted, isSeen)
  const held = await rate('pyxis', secret('held rating', 'held', isSeenByModerators))
  const reason = secret('report', 'report', isSeenByModerators)
  for (const each of ['mensa', 'norma', 'carina'])
    await act.as(of(each), 'reportRating', { input: { ratingId: held, reason } })
  thing('rating', held, isSeenByModerators)

  const draft = { input: { agentId: id } }
  const first = await act.administrator<{ id: string }>('createSubmission', draft, 'id')
  await act.administrator('withdrawSubmission', {
    input: { id: first.id, reason: secret('submission', 'why', isSeenByOwn) },
  })
  const second = await act.administrator<{ id: string }>('createSubmission', draft, 'id')
  for (const each of [first, second]) thing('submission', each.id, isSeenByOwn)

  const evidence = secret('certification', 'evidence', isSeen)
  const review = secret('certification', 'review', isSeen)
  const certificationId = await inRole(adminUrl, 'certification', (tx) => certify(tx, id, evidence, review))
  thing('certification', certificationId, isSeen)
  thing('certification', await inRole(adminUrl, 'certification', (tx) => askStranger(tx, id)), isSeen)
  const incident = secret('incident', 'incident', isSeenByOwn)
  await inRole(adminUrl, 'agents', (tx) => goWrong(tx, id, incident))
  thing('incident', incident, isSeenByOwn)
  await inRole(adminUrl, 'telemetry', (tx) => use(tx, id))

  await act.administrator('registerAgent', {
    source: manifestOf(word, secret('agent', 'agent', isSeen), '2.0.0', visibility, category),
  })
  secrets.push({ kind: 'agent', of: word, word, mayRead: isSeen })
}

async function makePlain(
  act: Acting,
  { offers, secrets, things }: Community,
  visibility: Visibility,
): Promise<void> {
  const word = `zw${visibility.toLowerCase()}`
  const id = `${owner}/${word}`
  const may = (principal: Principal) => mayRead(principal, visibility)
  offers.push({ id, word, visibility, category: sharedCategory, isListed: true })
  secrets.push({ kind: 'agent', of: word, word, mayRead: may })
  for (const kind of ['agent', 'listing'] as const) things.push({ kind, id, of: word, mayRead: may })
  await act.administrator('registerAgent', {
    source: manifestOf(word, word, '1.0.0', visibility, sharedCategory),
  })
  await act.administrator('publishListing', { agentId: id })
}

/** What never was in the catalogue, or is no more. */
async function makeUnlisted(act: Acting, { offers, secrets, things }: Community): Promise<void> {
  const unlisted = [
    ['zqquiet', 'PUBLIC'],
    ['zqhush', 'PRIVATE'],
    ['zqgone', 'PUBLIC'],
  ] as const
  for (const [word, visibility] of unlisted) {
    const id = `${owner}/${word}`
    const may = (principal: Principal) => mayRead(principal, visibility)
    offers.push({ id, word, visibility, category: sharedCategory, isListed: false })
    secrets.push({ kind: 'unlisted', of: word, word, mayRead: may })
    things.push({ kind: 'agent', id, of: word, mayRead: may })
    things.push({ kind: 'listing', id, of: word, mayRead: () => false })
    await act.administrator('registerAgent', {
      source: manifestOf(word, word, '1.0.0', visibility, sharedCategory),
    })
  }
  await act.administrator('publishListing', { agentId: `${owner}/zqgone` })
  await act.administrator('retireAgent', { agentId: `${owner}/zqgone` })
}

/** Runs of the home organization: for itself, for all, and one that was for all until its agent was not any more. */
async function makeRuns(act: Acting, { secrets, things }: Community): Promise<void> {
  const consent = { name: 'consent', action: 'approve', message: 'Go on?' }
  const asked = (agent: string, capability: string) => ({
    name: 'asked',
    action: 'invoke',
    agent,
    capability,
    dependsOn: ['consent'],
  })
  const run = async (
    word: string,
    visibility: Visibility,
    steps: object[],
    may: (principal: Principal) => boolean,
  ) => {
    const id = await submit(act, { name: word, visibility, steps })
    secrets.push({ kind: 'run', of: word, word, mayRead: may })
    things.push({ kind: 'run', id, of: word, mayRead: may })
    things.push({ kind: 'step', id: `${id}/only/consent`, of: word, mayRead: may })
  }
  await run('zqrun', 'ORGANIZATION', [consent], isHome)
  await run('zqopen', 'PUBLIC', [consent, asked(`${owner}/zwpublic`, 'zwpublic')], () => true)
  const register = async (version: string, visibility: Visibility) =>
    await act.as(of(home, 'agents:write', 'org:admin'), 'registerAgent', {
      source: manifestOf('zqhome', 'zqhome', version, visibility, 'worker.zqhome', 'zqhome', home),
    })
  await register('1.0.0', 'PUBLIC')
  await run('zqhomely', 'PUBLIC', [consent, asked('zqhome', 'zqhome')], isHome)
  secrets.push({ kind: 'run', of: 'zqhomely', word: 'zqhome', mayRead: isHome })
  await register('2.0.0', 'ORGANIZATION')
}

/** A run of the home organization's that waits for a person; its id. */
async function submit(
  act: Acting,
  { name, visibility, steps }: { name: string; visibility: Visibility; steps: object[] },
): Promise<string> {
  const plan = {
    name,
    description: 'Waits.',
    visibility,
    tokenBudget: 1_000,
    maxIterations: 1,
    phases: [{ name: 'only', description: 'Waits.', steps }],
    convergence: [{ name: 'failed-steps', target: 0 }],
  }
  const { plan: run } = await act.as<{ plan: { id: string } }>(
    of(home, 'agents:deploy'),
    'submitWorkflow',
    { source: JSON.stringify(plan) },
    'plan { id }',
  )
  return run.id
}

/** Of each audience one, with everything that is in the catalogue. */
async function makeCatalogs(act: Acting, { offers, secrets, things }: Community): Promise<void> {
  const audiences = { ADMINISTRATORS: 'PRIVATE', ORGANIZATION: 'ORGANIZATION', PARTNERS: 'PARTNERS' } as const
  for (const [audience, visibility] of Object.entries(audiences)) {
    const word = `zc${audience.toLowerCase()}`
    const may = (principal: Principal) => mayRead(principal, visibility)
    const { id } = await act.administrator<{ id: string }>(
      'createCatalog',
      { input: { name: word, audience } },
      'id',
    )
    const listingIds = offers.filter(({ isListed }) => isListed).map((offer) => offer.id)
    await act.administrator('addToCatalog', { input: { catalogId: id, listingIds } })
    secrets.push({ kind: 'catalogue', of: word, word, mayRead: may })
    things.push({ kind: 'catalogue', id, of: word, mayRead: may })
  }
}

/** What is between the owner and one other: an agent that is offered to the partner, and claimed by it. */
async function makeShared({ adminUrl }: World, act: Acting, { secrets, things }: Community): Promise<void> {
  const agentId = `${owner}/zwpublic`
  const { id } = await act.administrator<{ id: string }>(
    'installAgent',
    { input: { listingId: agentId } },
    'id',
  )
  things.push({ kind: 'installation', id, of: 'zwpublic', mayRead: isOwn })

  const isEither = (principal: Principal) =>
    (principal.organization === owner || principal.organization === partner) && isAdministrator(principal)
  const offer = await act.administrator<{ id: string }>(
    'offerAgent',
    { input: { agentId, toOrganization: partner, reason: 'zqoffer' } },
    'id',
  )
  secrets.push({ kind: 'offer', of: 'zqoffer', word: 'zqoffer', mayRead: isEither })
  things.push({ kind: 'offer', id: offer.id, of: 'zqoffer', mayRead: isEither })

  const mayReadClaim = (principal: Principal) =>
    isEither(principal) || (isHome(principal) && isModerator(principal))
  const claim = await inRole(adminUrl, 'marketplace', async (tx) => {
    const { rows } = await tx.query<{ id: string }>(
      `insert into agent_claim (agent_id, organization_id, owner_id, reason, evidence)
       values ($1, $2, $3, 'zqclaim', '[]') returning id`,
      [agentId, partner, owner],
    )
    return rows[0]!.id
  })
  secrets.push({ kind: 'claim', of: 'zqclaim', word: 'zqclaim', mayRead: mayReadClaim })
  things.push({ kind: 'claim', id: claim, of: 'zqclaim', mayRead: mayReadClaim })
}

/** What an organization's administrators keep to themselves. */
async function makeWebhook(act: Acting, { secrets, things }: Community): Promise<void> {
  const may = (principal: Principal) => isOwn(principal) && isAdministrator(principal)
  const url = 'http://127.0.0.1:1/zqwebhook'
  const { id } = await act.administrator<{ id: string }>(
    'createWebhook',
    { input: { url, kinds: ['LISTING_DEPRECATED'] } },
    'id',
  )
  secrets.push({ kind: 'webhook', of: 'zqwebhook', word: 'zqwebhook', mayRead: may })
  things.push({ kind: 'webhook', id, of: 'zqwebhook', mayRead: may })
  const delivery = await act.administrator<{ id: string }>('testWebhook', { id }, 'id')
  things.push({ kind: 'delivery', id: delivery.id, of: 'zqwebhook', mayRead: may })

  const proof = await act.administrator<{ id: string }>(
    'startPublisherVerification',
    { input: { domain: 'zqdomain.com', method: 'DNS' } },
    'id',
  )
  secrets.push({ kind: 'domain', of: 'zqdomain', word: 'zqdomain', mayRead: may })
  things.push({ kind: 'verification', id: proof.id, of: 'zqdomain', mayRead: may })
}

async function inRole<T>(url: string, role: string, fn: (tx: Transaction) => Promise<T>): Promise<T> {
  const pool = createPool({ url, role, applicationName: 'test' })
  try {
    return await inTransaction(pool, internalSettings, fn)
  } finally {
    await pool.end()
  }
}

/** As gates and reviewers would have left it. */
async function certify(tx: Transaction, agentId: string, evidence: string, review: string): Promise<string> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into certification (agent_id, organization_id, visibility, agent_version, level, status, certificate, requested_by,
       finished_at, expires_at)
     values ($1, $2, 'PUBLIC', '1.0.0', 'SILVER', 'CERTIFIED', $3, 'somebody', now(), now() + interval '80 days')
     returning id`,
    [agentId, owner, `${evidence}.certificate`],
  )
  const id = rows[0]!.id
  await tx.query(
    `insert into gate_result (certification_id, name, verdict, duration_ms, evidence)
     select $1, name, 'PASS', 1, $2::jsonb from unnest(array['manifest', 'peer-review']) as name`,
    [id, JSON.stringify({ checks: [{ name: 'kestrel', passed: true, seen: evidence }] })],
  )
  await tx.query(
    `insert into review (certification_id, organization_id, weight, verdict, comment, subject, answered_at)
     values ($1, 'lyra', 1, 'APPROVE', $2, 'somebody', now())`,
    [id, review],
  )
  const [row] = await certificationsById(tx, [id])
  await announceProgress(tx, row!)
  return id
}

/** A review that the stranger was drawn for while it could see the agent. */
async function askStranger(tx: Transaction, agentId: string): Promise<string> {
  const { rows } = await tx.query<{ id: string }>(
    `with going as (
       insert into certification (agent_id, organization_id, visibility, level, status, requested_by, review_due, version)
       values ($1, $2, 'PUBLIC', 'GOLD', 'IN_REVIEW', 'somebody', now() + interval '1 day', 0) returning id
     ), drawn as (
       insert into review (certification_id, organization_id, weight)
       select id, organization, 1 from going, unnest(array[$3, 'lyra', 'mensa']) as organization
     )
     select id from going`,
    [agentId, owner, stranger],
  )
  return rows[0]!.id
}

async function goWrong(tx: Transaction, agentId: string, said: string): Promise<void> {
  await tx.query(
    `insert into incident (id, symptom, subject_kind, subject_id, agent_id, status, objective, cause, organization_id,
       visibility, version, detected_at, began_at, resolved_at, updated_at)
     values ($1, 'PROBE_FAILED', 'AGENT', $2, $2, 'RESOLVED', 'It answers.', $1, $3, 'ORGANIZATION', 0, now(), now(),
       now(), now())`,
    [said, agentId, owner],
  )
  const [incident] = await incidentsById(tx, [said])
  await record(tx, incident!, { kind: 'DETECTED', text: said }, {}, new Date())
}

async function use(tx: Transaction, agentId: string): Promise<void> {
  await tx.query(
    `insert into usage_sample (agent_id, organization_id, visibility, capability, caller, outcome, latency_ms, tokens_in,
       tokens_out, at)
     values ($1, $2, 'PUBLIC', 'watch', 'somebody', 'OK', 1, 1, 1, now())`,
    [agentId, owner],
  )
}
