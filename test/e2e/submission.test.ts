import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, inject, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { ask, type Watch, watch } from '../client.ts'
import { eventually } from '../eventually.ts'
import { act, tokenOf } from './act.ts'

const world = inject('world')
const fleet = resolve(import.meta.dirname, '../../subgraphs/agents/fleet')

type Manifest = { metadata: Record<string, unknown>; spec: Record<string, unknown> }

/** An agent of another organization that does what one of the foundation does, with all that GOLD wants declared. */
async function manifestOf(name: string): Promise<string> {
  const file = `${fleet}/foundation/document-condenser.yaml`
  const { metadata, spec, ...rest } = parse(await readFile(file, 'utf8')) as Manifest
  const component = {
    type: 'library',
    name: 'stemmer',
    version: '2.0.1',
    purl: 'pkg:npm/stemmer@2.0.1',
    licenses: [{ license: { id: 'MIT' } }],
  }
  return stringify({
    ...rest,
    metadata: { ...metadata, name, version: '1.0.0', namespace: 'acme', labels: { pool: 'foundation' } },
    spec: {
      ...spec,
      // Whatever else this machine does meanwhile.
      performance: { p95LatencyMs: 5_000, throughputPerSecond: 2 },
      resources: { limits: { memory: '64Mi' } },
      sbom: { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components: [component] },
    },
  })
}

type Submission = {
  submissionProgress: {
    submission: {
      status: string
      certification: { id: string } | null
      steps: { status: string; by: string }[]
    }
  }
}
type Progress = {
  certificationProgress: {
    certification: { status: string }
    gate: { name: string; verdict: string; evidence: { checks: { name: string; passed: boolean }[] } } | null
  }
}
type Installation = { installationProgress: { installation: { state: string; pinnedVersion: string } } }
type Activity = { marketplaceActivity: { listingId: string; kind: string } | null }

const reached = (live: Watch<Submission>, status: string) =>
  live.until(({ data }) => data?.submissionProgress.submission.status === status, 90_000)

test('an agent is handed in, certified while people watch, reviewed by others, published, found, installed, used, rated and deprecated', async () => {
  const owner = await tokenOf(
    'acme',
    'agents:write',
    'agents:deploy',
    'marketplace:write',
    'certification:request',
    'org:admin',
  )
  const agentId = 'acme/brook'
  await act(owner, 'mutation ($source: String!) { registerAgent(source: $source) { id } }', {
    source: await manifestOf('brook'),
  })
  await act(
    owner,
    'mutation ($id: ID!) { deployAgent(agentId: $id) { id } activateAgent(agentId: $id) { id } }',
    {
      id: agentId,
    },
  )

  await using activity = watch<Activity>(
    world.wsUrl,
    'subscription { marketplaceActivity(filter: { kind: [PUBLISHED, RATED, WITHDRAWN] }) { listingId kind } }',
  )
  const made = await act<{ createSubmission: { id: string } }>(
    owner,
    `mutation ($agentId: ID!) { createSubmission(input: { agentId: $agentId, level: GOLD }) { id } }`,
    { agentId },
  )
  const { id } = made.createSubmission
  await using submission = watch<Submission>(
    world.wsUrl,
    `subscription ($id: ID!) { submissionProgress(id: $id) {
      submission { status certification { id } steps { status by } } } }`,
    { id },
    owner,
  )
  await act(owner, 'mutation ($id: ID!) { submitSubmission(id: $id) { status } }', { id })

  const certifying = await reached(submission, 'CERTIFYING')
  const certificationId = certifying.data?.submissionProgress.submission.certification?.id ?? ''
  await using progress = watch<Progress>(
    world.wsUrl,
    `subscription ($id: ID!) { certificationProgress(id: $id) {
      certification { status } gate { name verdict evidence } } }`,
    { id: certificationId },
    owner,
  )
  const inReview = await reached(submission, 'IN_REVIEW')
  expect(inReview.errors).toBeUndefined()

  const panel = ['ossa', 'meridian-research', 'open-bridge']
  const reviewers = await Promise.all(panel.map((each) => tokenOf(each, 'certification:review')))
  const verdict = { certificationId, verdict: 'APPROVE', comment: 'It keeps what it promises.' }
  for (const reviewer of reviewers.slice(0, 2)) {
    const asked = await act<{ reviewRequests: { edges: { node: { certification: { id: string } } }[] } }>(
      reviewer,
      '{ reviewRequests { edges { node { certification { id } } } } }',
      {},
    )
    expect(asked.reviewRequests.edges.map(({ node }) => node.certification.id)).toContain(certificationId)
    await act(reviewer, 'mutation ($input: SubmitReviewInput!) { submitReview(input: $input) { id } }', {
      input: verdict,
    })
  }
  const published = await reached(submission, 'PUBLISHED')
  expect(published.data?.submissionProgress.submission.steps.map(({ status }) => status)).toEqual([
    'DRAFT',
    'SUBMITTED',
    'CERTIFYING',
    'IN_REVIEW',
    'PUBLISHED',
  ])
  await progress.until(({ data }) => data?.certificationProgress.certification.status === 'CERTIFIED', 10_000)
  const gates = progress.received.flatMap(({ data }) => data?.certificationProgress.gate ?? [])
  expect(gates.map(({ name }) => name)).toContain('peer-review')
  expect(gates.filter((gate) => gate.verdict !== 'PASS')).toEqual([])
  expect(gates.find(({ name }) => name === 'performance')?.evidence.checks).toContainEqual(
    expect.objectContaining({ name: 'it takes 64Mi of memory or less', passed: true }),
  )
  const isOfIt = (kind: string) => (result: { data?: Activity | null }) =>
    result.data?.marketplaceActivity?.listingId === agentId && result.data.marketplaceActivity.kind === kind
  await activity.until(isOfIt('PUBLISHED'), 10_000)

  type Found = {
    searchListings: { edges: { node: { id: string; certification: { level: string } | null } }[] }
  }
  const question = 'keep the most important sentences of something too long to send'
  const found = await eventually(
    () =>
      act<Found>(
        world.token,
        'query ($query: String) { searchListings(query: $query) { edges { node { id certification { level } } } } }',
        { query: question },
      ),
    ({ searchListings }) => searchListings.edges.some(({ node }) => node.id === agentId),
  )
  const listing = found.searchListings.edges.find(({ node }) => node.id === agentId)
  expect(listing?.node.certification).toEqual({ level: 'GOLD' })

  const user = await tokenOf('umbrella', 'agents:invoke', 'marketplace:write')
  const setPolicy =
    'mutation ($input: SetCatalogPolicyInput!) { setCatalogPolicy(input: $input) { version } }'
  const administrator = await tokenOf('umbrella', 'org:admin')
  const policy = { minimumLevel: 'GOLD', installedOnly: true }
  await act(administrator, setPolicy, { input: policy })
  const installed = await act<{ installAgent: { id: string } }>(
    user,
    `mutation ($listingId: ID!) { installAgent(input: { listingId: $listingId, updatePolicy: MINOR }) { id } }`,
    { listingId: agentId },
  )
  await using installation = watch<Installation>(
    world.wsUrl,
    'subscription ($id: ID!) { installationProgress(id: $id) { installation { state pinnedVersion } } }',
    { id: installed.installAgent.id },
    user,
  )
  const inForce = await installation.until(({ data }) => data !== null, 10_000)
  expect(inForce.data?.installationProgress.installation).toEqual({
    state: 'INSTALLED',
    pinnedVersion: '1.0.0',
  })

  const invocation = {
    agentId,
    input: { text: 'One thing is said. Another thing is said too.', budgetTokens: 8 },
  }
  // What tells of the installation may come later than its answer, and until then the policy refuses.
  const used = await eventually(
    () =>
      ask<{ invokeAgent: { outcome: string } }>(
        world.graphqlUrl,
        `mutation ($agentId: ID!, $input: JSON!) {
          invokeAgent(agentId: $agentId, capability: "condense-text", input: $input) { outcome } }`,
        invocation,
        user,
      ),
    ({ errors }) => !errors,
  )
  expect(used.data?.invokeAgent.outcome).toBe('OK')
  await act(user, 'mutation ($input: RateListingInput!) { rateListing(input: $input) { id } }', {
    input: { listingId: agentId, stars: 4 },
  })
  await activity.until(isOfIt('RATED'), 10_000)
  // What tells of the use may come later than the rating.
  const mine = await eventually(
    () =>
      act<{ myRating: { stars: number; verified: boolean } }>(
        user,
        'query ($id: ID!) { myRating(listingId: $id) { stars verified } }',
        { id: agentId },
      ),
    ({ myRating }) => myRating.verified,
  )
  expect(mine.myRating).toEqual({ stars: 4, verified: true })

  type Deprecated = {
    deprecateListing: { deprecation: { reason: string; successor: { id: string } | null } }
  }
  const deprecated = await act<Deprecated>(
    owner,
    `mutation ($input: DeprecateListingInput!) {
      deprecateListing(input: $input) { deprecation { reason successor { id } } } }`,
    { input: { listingId: agentId, reason: 'The river runs dry.', successorId: 'document-condenser' } },
  )
  expect(deprecated.deprecateListing.deprecation).toEqual({
    reason: 'The river runs dry.',
    successor: { id: 'document-condenser' },
  })
  // Others count the agents that are active.
  await act(owner, 'mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agentId })
  await activity.until(isOfIt('WITHDRAWN'), 10_000)
}, 180_000)
