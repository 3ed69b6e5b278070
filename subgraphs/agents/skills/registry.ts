import { agentDiscovery } from './agent-discovery.ts'
import { anomalyDetection } from './anomaly-detection.ts'
import { assignment } from './assignment.ts'
import { auditChainVerification } from './audit-chain-verification.ts'
import { banditRouting } from './bandit-routing.ts'
import { budgetAllocation } from './budget-allocation.ts'
import { cacheReplay } from './cache-replay.ts'
import { catalogueReview } from './catalogue-review.ts'
import { catalogueSearch } from './catalogue-search.ts'
import { certificationOutlook } from './certification-outlook.ts'
import { changeRate } from './change-rate.ts'
import { communityHealth } from './community-health.ts'
import { conflictOfInterest } from './conflict-of-interest.ts'
import { contentDigest } from './content-digest.ts'
import { contextCapsule } from './context-capsule.ts'
import { contextDeduplication } from './context-deduplication.ts'
import { contextPruning } from './context-pruning.ts'
import { contractTests } from './contract-tests.ts'
import { conversationCheckpoint } from './conversation-checkpoint.ts'
import { correlation } from './correlation.ts'
import { costAttribution } from './cost-attribution.ts'
import { criticalPath } from './critical-path.ts'
import { cvssScoring } from './cvss-scoring.ts'
import { dependencyAudit } from './dependency-audit.ts'
import { deprecationPlanning } from './deprecation-planning.ts'
import { distributionSummary } from './distribution-summary.ts'
import { effectSize } from './effect-size.ts'
import { extractiveSummary } from './extractive-summary.ts'
import { factReconciliation } from './fact-reconciliation.ts'
import { forecast } from './forecast.ts'
import { funnelAnalysis } from './funnel-analysis.ts'
import { halfLifeEstimation } from './half-life-estimation.ts'
import { interleavingAnalysis } from './interleaving-analysis.ts'
import { itemRecommendation } from './item-recommendation.ts'
import { jsonDelta } from './json-delta.ts'
import { keyRotation } from './key-rotation.ts'
import { licenceCompatibility } from './licence-compatibility.ts'
import { listingModeration } from './listing-moderation.ts'
import { liveReferences } from './live-references.ts'
import { logClustering } from './log-clustering.ts'
import { manifestCompliance } from './manifest-compliance.ts'
import { manifestQuality } from './manifest-quality.ts'
import { manifestSecurity } from './manifest-security.ts'
import { marketplaceMetrics } from './marketplace-metrics.ts'
import { merkleInclusion } from './merkle-inclusion.ts'
import { multiCriteriaRanking } from './multi-criteria-ranking.ts'
import { pairwiseRating } from './pairwise-rating.ts'
import { passageSelection } from './passage-selection.ts'
import { patchVerification } from './patch-verification.ts'
import { permissionAudit } from './permission-audit.ts'
import { piiRedaction } from './pii-redaction.ts'
import { planOverview } from './plan-overview.ts'
import { promptAssembly } from './prompt-assembly.ts'
import { promptInjectionScan } from './prompt-injection-scan.ts'
import { proportionTest } from './proportion-test.ts'
import { quadraticVoting } from './quadratic-voting.ts'
import { queryClustering } from './query-clustering.ts'
import { queueCapacity } from './queue-capacity.ts'
import { rankFusion } from './rank-fusion.ts'
import { rankedConsensus } from './ranked-consensus.ts'
import { ratingAggregation } from './rating-aggregation.ts'
import { readmeLint } from './readme-lint.ts'
import { recordLinkage } from './record-linkage.ts'
import { referencePlanning } from './reference-planning.ts'
import { referenceResolution } from './reference-resolution.ts'
import { releaseNotes } from './release-notes.ts'
import { rendezvousHashing } from './rendezvous-hashing.ts'
import { replicaMerge } from './replica-merge.ts'
import { responseTuning } from './response-tuning.ts'
import { reviewAnomaly } from './review-anomaly.ts'
import { routeSearch } from './route-search.ts'
import { schemaCompatibility } from './schema-compatibility.ts'
import { schemaTranslation } from './schema-translation.ts'
import { secretScan } from './secret-scan.ts'
import { signatureVerification } from './signature-verification.ts'
import type { Skill } from './skill.ts'
import { slaVerdict } from './sla-verdict.ts'
import { sloBurnRate } from './slo-burn-rate.ts'
import { stagedChecklist } from './staged-checklist.ts'
import { tableCompaction } from './table-compaction.ts'
import { tableVerification } from './table-verification.ts'
import { tagSuggestion } from './tag-suggestion.ts'
import { taskDecomposition } from './task-decomposition.ts'
import { textClassification } from './text-classification.ts'
import { thresholdCalibration } from './threshold-calibration.ts'
import { tokenAccounting } from './token-accounting.ts'
import { tokenBucket } from './token-bucket.ts'
import { tokenInspection } from './token-inspection.ts'
import { toolPoisoningScan } from './tool-poisoning-scan.ts'
import { trendTest } from './trend-test.ts'
import { trending } from './trending.ts'
import { trustPolicy } from './trust-policy.ts'
import { urlSafety } from './url-safety.ts'
import { usageReport } from './usage-report.ts'
import { vectorPacking } from './vector-packing.ts'
import { versionCheck } from './version-check.ts'
import { voteArbitration } from './vote-arbitration.ts'

const all: readonly Skill[] = [
  agentDiscovery,
  anomalyDetection,
  assignment,
  auditChainVerification,
  banditRouting,
  budgetAllocation,
  cacheReplay,
  catalogueReview,
  catalogueSearch,
  certificationOutlook,
  changeRate,
  communityHealth,
  conflictOfInterest,
  contentDigest,
  contextCapsule,
  contextDeduplication,
  contextPruning,
  contractTests,
  conversationCheckpoint,
  correlation,
  costAttribution,
  criticalPath,
  cvssScoring,
  dependencyAudit,
  deprecationPlanning,
  distributionSummary,
  effectSize,
  extractiveSummary,
  factReconciliation,
  forecast,
  funnelAnalysis,
  halfLifeEstimation,
  interleavingAnalysis,
  itemRecommendation,
  jsonDelta,
  keyRotation,
  licenceCompatibility,
  listingModeration,
  liveReferences,
  logClustering,
  manifestCompliance,
  manifestQuality,
  manifestSecurity,
  marketplaceMetrics,
  merkleInclusion,
  multiCriteriaRanking,
  pairwiseRating,
  passageSelection,
  patchVerification,
  permissionAudit,
  piiRedaction,
  planOverview,
  promptAssembly,
  promptInjectionScan,
  proportionTest,
  quadraticVoting,
  queryClustering,
  queueCapacity,
  rankFusion,
  rankedConsensus,
  ratingAggregation,
  readmeLint,
  recordLinkage,
  referencePlanning,
  referenceResolution,
  releaseNotes,
  rendezvousHashing,
  replicaMerge,
  responseTuning,
  reviewAnomaly,
  routeSearch,
  schemaCompatibility,
  schemaTranslation,
  secretScan,
  signatureVerification,
  slaVerdict,
  sloBurnRate,
  stagedChecklist,
  tableCompaction,
  tableVerification,
  tagSuggestion,
  taskDecomposition,
  textClassification,
  thresholdCalibration,
  tokenAccounting,
  tokenBucket,
  tokenInspection,
  toolPoisoningScan,
  trendTest,
  trending,
  trustPolicy,
  urlSafety,
  usageReport,
  vectorPacking,
  versionCheck,
  voteArbitration,
]

/** Every skill that a manifest may name, by its name. */
export const skills: ReadonlyMap<string, Skill> = new Map(all.map((one) => [one.name, one]))
