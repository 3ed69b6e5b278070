import { agentDiscovery } from './agent-discovery.ts'
import { anomalyDetection } from './anomaly-detection.ts'
import { assignment } from './assignment.ts'
import { banditRouting } from './bandit-routing.ts'
import { budgetAllocation } from './budget-allocation.ts'
import { cacheReplay } from './cache-replay.ts'
import { changeRate } from './change-rate.ts'
import { contentDigest } from './content-digest.ts'
import { contextCapsule } from './context-capsule.ts'
import { contextDeduplication } from './context-deduplication.ts'
import { contextPruning } from './context-pruning.ts'
import { conversationCheckpoint } from './conversation-checkpoint.ts'
import { correlation } from './correlation.ts'
import { costAttribution } from './cost-attribution.ts'
import { criticalPath } from './critical-path.ts'
import { distributionSummary } from './distribution-summary.ts'
import { extractiveSummary } from './extractive-summary.ts'
import { factReconciliation } from './fact-reconciliation.ts'
import { forecast } from './forecast.ts'
import { funnelAnalysis } from './funnel-analysis.ts'
import { halfLifeEstimation } from './half-life-estimation.ts'
import { jsonDelta } from './json-delta.ts'
import { liveReferences } from './live-references.ts'
import { logClustering } from './log-clustering.ts'
import { multiCriteriaRanking } from './multi-criteria-ranking.ts'
import { pairwiseRating } from './pairwise-rating.ts'
import { passageSelection } from './passage-selection.ts'
import { patchVerification } from './patch-verification.ts'
import { promptAssembly } from './prompt-assembly.ts'
import { proportionTest } from './proportion-test.ts'
import { queueCapacity } from './queue-capacity.ts'
import { rankFusion } from './rank-fusion.ts'
import { rankedConsensus } from './ranked-consensus.ts'
import { referencePlanning } from './reference-planning.ts'
import { referenceResolution } from './reference-resolution.ts'
import { rendezvousHashing } from './rendezvous-hashing.ts'
import { replicaMerge } from './replica-merge.ts'
import { responseTuning } from './response-tuning.ts'
import { routeSearch } from './route-search.ts'
import { schemaCompatibility } from './schema-compatibility.ts'
import { schemaTranslation } from './schema-translation.ts'
import { signatureVerification } from './signature-verification.ts'
import type { Skill } from './skill.ts'
import { sloBurnRate } from './slo-burn-rate.ts'
import { tableCompaction } from './table-compaction.ts'
import { tableVerification } from './table-verification.ts'
import { taskDecomposition } from './task-decomposition.ts'
import { tokenAccounting } from './token-accounting.ts'
import { tokenBucket } from './token-bucket.ts'
import { trendTest } from './trend-test.ts'
import { trustPolicy } from './trust-policy.ts'
import { usageReport } from './usage-report.ts'
import { vectorPacking } from './vector-packing.ts'
import { voteArbitration } from './vote-arbitration.ts'

const all: readonly Skill[] = [
  agentDiscovery,
  anomalyDetection,
  assignment,
  banditRouting,
  budgetAllocation,
  cacheReplay,
  changeRate,
  contentDigest,
  contextCapsule,
  contextDeduplication,
  contextPruning,
  conversationCheckpoint,
  correlation,
  costAttribution,
  criticalPath,
  distributionSummary,
  extractiveSummary,
  factReconciliation,
  forecast,
  funnelAnalysis,
  halfLifeEstimation,
  jsonDelta,
  liveReferences,
  logClustering,
  multiCriteriaRanking,
  pairwiseRating,
  passageSelection,
  patchVerification,
  promptAssembly,
  proportionTest,
  queueCapacity,
  rankedConsensus,
  rankFusion,
  referencePlanning,
  referenceResolution,
  rendezvousHashing,
  replicaMerge,
  responseTuning,
  routeSearch,
  schemaCompatibility,
  schemaTranslation,
  signatureVerification,
  sloBurnRate,
  tableCompaction,
  tableVerification,
  taskDecomposition,
  tokenAccounting,
  tokenBucket,
  trendTest,
  trustPolicy,
  usageReport,
  vectorPacking,
  voteArbitration,
]

/** Every skill that a manifest may name, by its name. */
export const skills: ReadonlyMap<string, Skill> = new Map(all.map((one) => [one.name, one]))
