import type { CodegenConfig } from '@graphql-codegen/cli'
import { subgraphNames } from './compose.ts'

/** The rows that stand behind a subgraph's types: `Type: './file.ts#RowType'`, relative to the subgraph's folder. */
const mappers: Record<(typeof subgraphNames)[number], Record<string, string>> = {
  agents: {
    Agent: './store.ts#AgentRow',
    AgentPool: './store.ts#PoolRow',
    AgentTypeDescription: './store.ts#TypeRow',
    AgentRollout: './rollout/store.ts#RolloutRow',
    AgentVersion: './versions.ts#VersionRow',
    VersionChanges: './changes/compare.ts#VersionChanges',
    Category: './changes/store.ts#CategoryRow',
    PoolScaling: './scaling/store.ts#ScalingRow',
    ExecutionPlan: './orchestrate/store.ts#RunRow',
    PlanPhase: './orchestrate/store.ts#PhaseRow',
    TokenGrant: './orchestrate/grants.ts#GrantRow',
    PlanStep: './orchestrate/store.ts#StepRow',
    WorkflowSubmission: './orchestrate/submission.ts#Submission',
    Invocation: '../kit/invoke.ts#Invocation',
    AgentMemory: './memory/resolvers.ts#AgentMemory',
    Incident: './incidents/store.ts#IncidentRow',
    AgentOffer: './offers/store.ts#OfferRow',
  },
  marketplace: {
    Agent: './store.ts#Reference',
    Organization: './store.ts#Reference',
    Publisher: './store.ts#Reference',
    AgentClaim: './claims/store.ts#ClaimRow',
    PublisherDomain: './publishers/store.ts#DomainRow',
    PublisherVerification: './publishers/store.ts#VerificationRow',
    Category: './store.ts#CategoryRow',
    Listing: './store.ts#ListingRow',
    ListingVersion: './pages/versions.ts#VersionRow',
    ListingConnection: './search/search.ts#ListingPage',
    ListingRating: './ratings/store.ts#RatingRow',
    RatingAct: './ratings/acts.ts#ActRow',
    Catalog: './catalogs/store.ts#CatalogRow',
    CatalogEntry: './catalogs/store.ts#EntryRow',
    Submission: './submissions/store.ts#SubmissionRow',
    SubmissionStep: './submissions/store.ts#StepRow',
    CatalogPolicy: './policies/store.ts#PolicyRow',
    Installation: './installs/store.ts#InstallationRow',
    InstallationStep: './installs/store.ts#InstallationStepRow',
    AuditEntry: '../kit/audit-chain.ts#ChainEntry',
    Webhook: './webhooks/store.ts#WebhookRow',
    WebhookAttempt: './webhooks/deliveries.ts#AttemptRow',
    WebhookDelivery: './webhooks/deliveries.ts#DeliveryRow',
    Certification: './store.ts#Reference',
  },
  certification: {
    Agent: './context.ts#Reference',
    Certification: './store.ts#CertificationRow',
    GateResult: './store.ts#GateRow',
    Review: './reviews/store.ts#ReviewRow',
    ReviewRequest: './reviews/store.ts#RequestRow',
  },
  telemetry: {},
  federation: { Organization: './store.ts#OrganizationRow', Member: './store.ts#MemberRow' },
}

// Resolver types of each subgraph, `subgraphs/<name>/schema.generated.ts`; never committed.
const config: CodegenConfig = {
  generates: Object.fromEntries(
    subgraphNames.map((name) => [
      `subgraphs/${name}/schema.generated.ts`,
      {
        schema: `schema/${name}.graphql`,
        plugins: ['typescript', 'typescript-resolvers'],
        config: {
          federation: true,
          useTypeImports: true,
          enumsAsTypes: true,
          contextType: './context.ts#Context',
          mapperTypeSuffix: 'Mapper',
          mappers: mappers[name],
          scalars: {
            ID: { input: 'string', output: 'string' },
            DateTime: { input: 'Date', output: 'Date | string' },
            JSON: { input: 'unknown', output: 'unknown' },
          },
          defaultMapper: 'Partial<{T}>',
        },
      },
    ]),
  ),
  silent: true,
  errorsOnly: true,
}

export default config
