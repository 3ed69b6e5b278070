import { availableParallelism, homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

export const subgraphNames = ['agents', 'marketplace', 'certification', 'telemetry', 'federation'] as const
export type SubgraphName = (typeof subgraphNames)[number]

export const poolNames = ['foundation', 'intelligence', 'federation', 'community', 'analytics'] as const

export const scopes = [
  'agents:write',
  'agents:deploy',
  'agents:invoke',
  'marketplace:write',
  'marketplace:moderate',
  'certification:request',
  'certification:review',
  'certification:revoke',
  'telemetry:write',
  'org:admin',
] as const

const list = z
  .string()
  .default('')
  .transform((text) => text.split(',').flatMap((part) => part.trim() || []))
const optionalUrl = z.url().optional()
const connection = z.string().startsWith('postgres').optional()
const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional()
const whole = (least: number, most: number, usual: number) =>
  z.coerce.number().int().min(least).max(most).default(usual)
const million = 1_000_000
const json = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value, context) => {
    if (typeof value !== 'string') return undefined
    try {
      return JSON.parse(value) as unknown
    } catch {
      context.addIssue('expected JSON')
      return undefined
    }
  }, schema.optional())

const milliseconds = z.number().int().min(1).max(600_000)
const count = z.number().int().min(1).max(100_000)
/** How the gateway treats a subgraph; what is not given is as the gateway's `traffic/policy.ts` says. */
const subgraphPolicy = z.strictObject({
  deadlineMs: milliseconds.exactOptional(),
  maxAnswerBytes: z.number().int().min(1).exactOptional(),
  retries: z.number().int().min(0).max(10).exactOptional(),
  concurrency: count.exactOptional(),
  queue: z.number().int().min(0).max(100_000).exactOptional(),
  breaker: z
    .strictObject({
      failureRatio: z.number().min(0.01).max(1).exactOptional(),
      minimumRequests: count.exactOptional(),
      windowMs: milliseconds.exactOptional(),
      openMs: milliseconds.exactOptional(),
    })
    .exactOptional(),
})

const environment = z.object({
  DATA_DIR: z.string().default('.data'),
  KEYS_DIR: z.string().optional(),
  CACHE_DIR: z.string().optional(),
  XDG_CACHE_HOME: z.string().optional(),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  HOME_ORGANIZATION: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and hyphens')
    .default('ossa'),
  DATABASE_URL: connection,
  DATABASE_URL_AGENTS: connection,
  DATABASE_URL_MARKETPLACE: connection,
  DATABASE_URL_CERTIFICATION: connection,
  DATABASE_URL_TELEMETRY: connection,
  DATABASE_URL_FEDERATION: connection,
  DATABASE_URL_EVENTLOG: connection,
  DATABASE_ADMIN_URL: connection,
  ROLE_PASSWORDS: json(z.record(z.string(), z.string())),
  KAFKA_BROKERS: list,
  KAFKA_PARTITIONS: z.coerce.number().int().min(1).max(1000).default(6),
  KAFKA_REPLICATION: z.coerce.number().int().min(1).max(9).default(1),
  GATEWAY_URL: z.url().default('http://127.0.0.1:4000/graphql'),
  SUBGRAPH_URL_AGENTS: optionalUrl,
  SUBGRAPH_URL_MARKETPLACE: optionalUrl,
  SUBGRAPH_URL_CERTIFICATION: optionalUrl,
  SUBGRAPH_URL_TELEMETRY: optionalUrl,
  SUBGRAPH_URL_FEDERATION: optionalUrl,
  SUBGRAPH_SUBSCRIPTION_URLS: json(z.record(z.string(), z.url({ protocol: /^(ws|http)s?$/ }))),
  AGENT_POOLS: json(z.record(z.string(), z.url())),
  AGENT_ENDPOINT_ALLOW: list,
  DNS_SERVERS: list,
  PUBLISHER_RECHECK_HOURS: whole(1, 24 * 90, 24),
  INCIDENT_POLICIES: z.string().optional(),
  OSV_DIR: z.string().optional(),
  AGENT_RUNTIME: z.enum(['local', 'kubernetes']).default('local'),
  KUBERNETES_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected lower-case letters, digits and hyphens')
    .optional(),
  KUBERNETES_IMAGE: z.string().regex(/^\S+$/, 'expected the name of an image').optional(),
  KUBERNETES_KEYS_SECRET: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'expected the name of a Secret')
    .default('community-keys'),
  KUBERNETES_ROLLOUT_SECONDS: whole(5, 3_600, 120),
  KUBECONFIG: z.string().optional(),
  POOL_REPLICAS_MAX: whole(1, 64, Math.max(2, availableParallelism())),
  POOL_SCALING: z.stringbool().default(true),
  EMBEDDINGS: z.enum(['local', 'openai', 'none']).default('local'),
  EMBEDDINGS_URL: z.url({ protocol: /^https?$/ }).optional(),
  EMBEDDINGS_MODEL: z.string().default('text-embedding-3-small'),
  EMBEDDINGS_DIMENSIONS: whole(1, 4_096, 1_536),
  EMBEDDINGS_API_KEY: z.string().optional(),
  JWKS_URL: optionalUrl,
  JWT_ISSUER: z.string().default('community'),
  JWT_AUDIENCE: z.string().default('community'),
  OVERRIDE_LABELS: list,
  PERSISTED_OPERATIONS: z.string().optional(),
  PERSISTED_OPERATIONS_ONLY: z.stringbool().default(false),
  AUTOMATIC_PERSISTED_QUERIES: z.stringbool().default(true),
  PLAN_SCOPE: z.string().optional(),
  SHARE_QUERIES: z.stringbool().default(false),
  SHARE_SUBSCRIPTIONS: z.stringbool().default(true),
  FETCH_CACHE_BYTES: z.coerce.number().int().min(0).default(0),
  SUBSCRIPTION_RECENT_BYTES: whole(0, 1_000 * million, 16 * million),
  GATEWAY_MODE: z.enum(['development', 'production']).default('development'),
  INTROSPECTION: flag,
  GRAPHIQL: flag,
  MASK_ERRORS: flag,
  CORS_ORIGINS: list,
  RATE_LIMIT_PER_SECOND: z.coerce.number().positive().optional(),
  RATE_LIMIT_BURST: z.coerce.number().min(1).optional(),
  CLIENT_ADDRESS_HOPS: whole(0, 10, 0),
  COST_MODE: z.enum(['off', 'measure', 'enforce']).default('off'),
  COST_MAXIMUM: z.coerce.number().positive().default(10_000),
  COST_LIST_SIZE: whole(0, million, 10),
  COST_SCOPE: z.string().optional(),
  LIMIT_BODY_BYTES: whole(1, 100 * million, 1024 * 1024),
  LIMIT_DOCUMENT_BYTES: whole(1, 100 * million, 256 * 1024),
  LIMIT_TOKENS: whole(1, million, 10_000),
  LIMIT_OPERATIONS: whole(1, 1_000, 50),
  LIMIT_NESTING: whole(1, 500, 100),
  LIMIT_DEPTH: whole(1, 500, 25),
  LIMIT_HEIGHT: whole(1, million, 2_000),
  LIMIT_ROOT_FIELDS: whole(1, million, 200),
  LIMIT_ALIASES: whole(0, million, 200),
  LIMIT_DIRECTIVES: whole(0, million, 500),
  LIMIT_COMPARISONS: whole(1, million, 30_000),
  LIMIT_VARIABLE_VALUES: whole(0, million, 20_000),
  LIMIT_BATCH: whole(0, 1_000, 0),
  LIMIT_SUBSCRIPTIONS_PER_SOCKET: whole(1, 100_000, 100),
  LIMIT_SUBSCRIPTIONS: whole(1, million, 50_000),
  LIMIT_SUBSCRIPTION_BYTES: whole(million, 100_000 * million, 128 * million),
  LIMIT_SOCKETS: whole(1, million, 10_000),
  LIMIT_SOCKET_MESSAGES_PER_SECOND: whole(1, million, 100),
  LIMIT_SOCKET_BUFFER_BYTES: whole(16 * 1024, 100 * million, 64 * 1024),
  LIMIT_SLOW_SECONDS: whole(1, 3_600, 30),
  SUBGRAPH_POLICIES: json(z.record(z.string(), subgraphPolicy)),
  FORWARD_HEADERS: list,
  METRICS: z.stringbool().default(true),
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalUrl,
  OTEL_SERVICE_NAME: z.string().default('gateway'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  CHROME_PATH: z.string().optional(),
  CI: z.string().optional(),
})

export type Config = ReturnType<typeof readConfig>

/** What makes vectors of texts for search. */
export type EmbeddingsConfig =
  | { kind: 'local' | 'none' }
  | { kind: 'openai'; url: string; model: string; dimensions: number; apiKey: string | undefined }

function embeddingsOf(e: z.infer<typeof environment>): EmbeddingsConfig {
  if (e.EMBEDDINGS !== 'openai') return { kind: e.EMBEDDINGS }
  if (e.EMBEDDINGS_URL === undefined)
    throw new Error('EMBEDDINGS_URL: expected the endpoint, as https://api.example/v1')
  return {
    kind: 'openai',
    url: e.EMBEDDINGS_URL,
    model: e.EMBEDDINGS_MODEL,
    dimensions: e.EMBEDDINGS_DIMENSIONS,
    apiKey: e.EMBEDDINGS_API_KEY,
  }
}

/** Where agents of pools run: in processes of this installation, or as Deployments of a cluster. */
export type RuntimeConfig =
  | { kind: 'local' }
  | {
      kind: 'kubernetes'
      namespace: string
      /** Of this repository. */
      image: string
      /** Its entries are the files of `KEYS_DIR`. */
      keysSecret: string
      rolloutSeconds: number
      /** Absent: as a pod of the cluster. */
      kubeconfig: string | undefined
    }

function runtimeOf(e: z.infer<typeof environment>): RuntimeConfig {
  if (e.AGENT_RUNTIME === 'local') return { kind: 'local' }
  const { KUBERNETES_NAMESPACE: namespace, KUBERNETES_IMAGE: image } = e
  const missing = [
    ...(namespace === undefined ? ['KUBERNETES_NAMESPACE: expected the namespace that agents run in'] : []),
    ...(image === undefined ? ['KUBERNETES_IMAGE: expected the image of this repository'] : []),
  ]
  if (namespace === undefined || image === undefined) throw new Error(missing.join('\n'))
  return {
    kind: 'kubernetes',
    namespace,
    image,
    keysSecret: e.KUBERNETES_KEYS_SECRET,
    rolloutSeconds: e.KUBERNETES_ROLLOUT_SECONDS,
    kubeconfig: e.KUBECONFIG,
  }
}

/** What Node and the tools it calls need of this process's environment; settings of ours are passed on one by one. */
export const inheritedEnvironment = (env: Record<string, string | undefined> = process.env) =>
  Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'].flatMap((name) => {
      const value = env[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )

/** The only reader of the environment; an empty variable is none. Throws one line per variable that is wrong. */
export function readConfig(env: Record<string, string | undefined> = process.env) {
  const parsed = environment.safeParse(
    Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')),
  )
  if (!parsed.success)
    throw new Error(
      parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'),
    )
  const e = parsed.data
  return {
    dataDir: resolve(e.DATA_DIR),
    /** Absent: tokens can't be verified by the embedded issuer, subgraph calls are not signed. */
    keysDir: e.KEYS_DIR,
    cacheDir: e.CACHE_DIR ?? join(e.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'community'),
    host: e.HOST,
    logLevel: e.LOG_LEVEL,
    homeOrganization: e.HOME_ORGANIZATION,
    databaseUrl: e.DATABASE_URL,
    databaseUrls: {
      agents: e.DATABASE_URL_AGENTS ?? e.DATABASE_URL,
      marketplace: e.DATABASE_URL_MARKETPLACE ?? e.DATABASE_URL,
      certification: e.DATABASE_URL_CERTIFICATION ?? e.DATABASE_URL,
      telemetry: e.DATABASE_URL_TELEMETRY ?? e.DATABASE_URL,
      federation: e.DATABASE_URL_FEDERATION ?? e.DATABASE_URL,
      eventlog: e.DATABASE_URL_EVENTLOG ?? e.DATABASE_URL,
    },
    databaseAdminUrl: e.DATABASE_ADMIN_URL ?? e.DATABASE_URL,
    rolePasswords: e.ROLE_PASSWORDS ?? {},
    /** Empty: the event log is a table in Postgres. */
    kafkaBrokers: e.KAFKA_BROKERS,
    kafkaPartitions: e.KAFKA_PARTITIONS,
    kafkaReplication: e.KAFKA_REPLICATION,
    gatewayUrl: e.GATEWAY_URL,
    subgraphUrls: {
      agents: e.SUBGRAPH_URL_AGENTS,
      marketplace: e.SUBGRAPH_URL_MARKETPLACE,
      certification: e.SUBGRAPH_URL_CERTIFICATION,
      telemetry: e.SUBGRAPH_URL_TELEMETRY,
      federation: e.SUBGRAPH_URL_FEDERATION,
    },
    /** Where subgraphs serve subscriptions of their own, by name; else at their URL. */
    subgraphSubscriptionUrls: new Map(Object.entries(e.SUBGRAPH_SUBSCRIPTION_URLS ?? {})),
    /** Base URL of each pool's process, by pool name. */
    agentPools: e.AGENT_POOLS ?? {},
    /** CIDR ranges inside the machine's own networks that agents may live in. */
    agentEndpointAllow: e.AGENT_ENDPOINT_ALLOW,
    /** Name servers that publishers' domains are looked up at; none: the system's. */
    dnsServers: e.DNS_SERVERS,
    /** How often it is looked whether a publisher still has the domains that it has proven. */
    publisherRecheckMs: e.PUBLISHER_RECHECK_HOURS * 60 * 60 * 1_000,
    /** A file of policies, `off`, or undefined: ours. */
    incidentPolicies: e.INCIDENT_POLICIES,
    /** A folder of OSV records that agents' components are looked up in; absent: nobody is certified by them. */
    osvDir: e.OSV_DIR === undefined ? undefined : resolve(e.OSV_DIR),
    agentRuntime: runtimeOf(e),
    /** Threads that a pool may run its agents' skills in. */
    poolReplicasMax: e.POOL_REPLICAS_MAX,
    /** Whether pools are given more and fewer replicas as their work needs. */
    poolScaling: e.POOL_SCALING,
    embeddings: embeddingsOf(e),
    jwksUrl: e.JWKS_URL,
    jwtIssuer: e.JWT_ISSUER,
    jwtAudience: e.JWT_AUDIENCE,
    /** Labels of `@override(label:)` that are switched on. */
    overrideLabels: e.OVERRIDE_LABELS,
    persistedOperations: {
      /** Path of the manifest. */
      file: e.PERSISTED_OPERATIONS,
      /** Whether nothing else may run. */
      only: e.PERSISTED_OPERATIONS_ONLY,
      /** Whether clients may register documents by their hash. */
      automatic: e.AUTOMATIC_PERSISTED_QUERIES,
    },
    /** Who has it is told the plan on demand; nobody where undefined. */
    planScope: e.PLAN_SCOPE,
    /** Whether identical queries that run at the same time are one execution. */
    shareQueries: e.SHARE_QUERIES,
    /** Whether subscribers to the same share an execution. */
    shareSubscriptions: e.SHARE_SUBSCRIPTIONS,
    /** What the gateway may keep of subgraphs' answers; 0: nothing is kept. */
    fetchCacheBytes: e.FETCH_CACHE_BYTES,
    /** What the gateway keeps of the events read last, for subscriptions that come back. */
    subscriptionRecentBytes: e.SUBSCRIPTION_RECENT_BYTES,
    introspection: e.INTROSPECTION ?? e.GATEWAY_MODE === 'development',
    graphiql: e.GRAPHIQL ?? e.GATEWAY_MODE === 'development',
    /** Whether clients are kept from what went wrong inside a subgraph. */
    maskErrors: e.MASK_ERRORS ?? e.GATEWAY_MODE === 'production',
    /** Foreign origins whose pages may use the gateway, as `https://app.example`. */
    corsOrigins: e.CORS_ORIGINS,
    /** Operations of one principal; null: any number. */
    rateLimit:
      e.RATE_LIMIT_PER_SECOND === undefined
        ? null
        : {
            perSecond: e.RATE_LIMIT_PER_SECOND,
            burst: e.RATE_LIMIT_BURST ?? Math.max(1, 2 * e.RATE_LIMIT_PER_SECOND),
          },
    /** Proxies in front of the gateway, each of which adds the address that it saw to X-Forwarded-For. */
    clientAddressHops: e.CLIENT_ADDRESS_HOPS,
    /** Demand control; null: operations are not weighed. */
    cost:
      e.COST_MODE === 'off'
        ? null
        : {
            /** Null: nothing is refused. */
            maximum: e.COST_MODE === 'enforce' ? e.COST_MAXIMUM : null,
            /** Elements that a list is taken to have where the schema says nothing. */
            listSize: e.COST_LIST_SIZE,
            /** Who has it finds the cost in `extensions`; undefined: nobody. */
            scope: e.COST_SCOPE,
          },
    limits: {
      bodyBytes: e.LIMIT_BODY_BYTES,
      documentBytes: e.LIMIT_DOCUMENT_BYTES,
      tokens: e.LIMIT_TOKENS,
      operations: e.LIMIT_OPERATIONS,
      /** Of selection sets and values in each other, fragments included. */
      nesting: e.LIMIT_NESTING,
      /** Of fields in each other. */
      depth: e.LIMIT_DEPTH,
      /** Fields in all, fragments expanded. */
      height: e.LIMIT_HEIGHT,
      rootFields: e.LIMIT_ROOT_FIELDS,
      aliases: e.LIMIT_ALIASES,
      directives: e.LIMIT_DIRECTIVES,
      /** Of fields with the same response name, which have to be found mergeable. */
      comparisons: e.LIMIT_COMPARISONS,
      variableValues: e.LIMIT_VARIABLE_VALUES,
      /** Operations in one body; 0: a body is no list. */
      batch: e.LIMIT_BATCH,
      subscriptionsPerSocket: e.LIMIT_SUBSCRIPTIONS_PER_SOCKET,
      /** In the process. */
      subscriptions: e.LIMIT_SUBSCRIPTIONS,
      /** Results kept for subscribers who lag, of all streams together. */
      subscriptionBytes: e.LIMIT_SUBSCRIPTION_BYTES,
      /** Of the process. */
      sockets: e.LIMIT_SOCKETS,
      /** Of a client's; twice as many at once. */
      socketMessagesPerSecond: e.LIMIT_SOCKET_MESSAGES_PER_SECOND,
      /** What may wait to be taken by a socket's client before its subscriptions are held back. */
      socketBufferBytes: e.LIMIT_SOCKET_BUFFER_BYTES,
      /** A socket whose client takes nothing of what waits for so long is closed. */
      slowSeconds: e.LIMIT_SLOW_SECONDS,
    },
    /** By subgraph; `*` for all. */
    subgraphPolicies: e.SUBGRAPH_POLICIES ?? {},
    /** Headers of clients that go on to subgraphs. */
    forwardHeaders: e.FORWARD_HEADERS.map((name) => name.toLowerCase()),
    /** Null: nothing is traced. */
    metrics: e.METRICS,
    tracing:
      e.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
        ? null
        : {
            endpoint: e.OTEL_EXPORTER_OTLP_ENDPOINT,
            serviceName: e.OTEL_SERVICE_NAME,
            ratio: e.OTEL_TRACES_SAMPLER_ARG,
          },
    chromePath: e.CHROME_PATH,
    ci: e.CI !== undefined && e.CI !== 'false',
  }
}
