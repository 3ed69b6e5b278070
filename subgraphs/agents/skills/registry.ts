import { agentDiscovery } from './agent-discovery.ts'
import { anomalyDetection } from './anomaly-detection.ts'
import { assignment } from './assignment.ts'
import { auditChainVerification } from './audit-chain-verification.ts'
import { banditRouting } from './bandit-routing.ts'
import { budgetAllocation } from './budget-allocation.ts'
import { contentDigest } from './content-digest.ts'
import { correlation } from './correlation.ts'
import { costAttribution } from './cost-attribution.ts'
import { criticalPath } from './critical-path.ts'
import { cvssScoring } from './cvss-scoring.ts'
import { dependencyAudit } from './dependency-audit.ts'
import { distributionSummary } from './distribution-summary.ts'
import { forecast } from './forecast.ts'
import { funnelAnalysis } from './funnel-analysis.ts'
import { keyRotation } from './key-rotation.ts'
import { licenceCompatibility } from './licence-compatibility.ts'
import { logClustering } from './log-clustering.ts'
import { merkleInclusion } from './merkle-inclusion.ts'
import { multiCriteriaRanking } from './multi-criteria-ranking.ts'
import { pairwiseRating } from './pairwise-rating.ts'
import { permissionAudit } from './permission-audit.ts'
import { piiRedaction } from './pii-redaction.ts'
import { promptInjectionScan } from './prompt-injection-scan.ts'
import { proportionTest } from './proportion-test.ts'
import { queueCapacity } from './queue-capacity.ts'
import { rankFusion } from './rank-fusion.ts'
import { rankedConsensus } from './ranked-consensus.ts'
import { rendezvousHashing } from './rendezvous-hashing.ts'
import { replicaMerge } from './replica-merge.ts'
import { responseTuning } from './response-tuning.ts'
import { routeSearch } from './route-search.ts'
import { schemaCompatibility } from './schema-compatibility.ts'
import { schemaTranslation } from './schema-translation.ts'
import { secretScan } from './secret-scan.ts'
import { signatureVerification } from './signature-verification.ts'
import type { Skill } from './skill.ts'
import { sloBurnRate } from './slo-burn-rate.ts'
import { taskDecomposition } from './task-decomposition.ts'
import { thresholdCalibration } from './threshold-calibration.ts'
import { tokenBucket } from './token-bucket.ts'
import { tokenInspection } from './token-inspection.ts'
import { toolPoisoningScan } from './tool-poisoning-scan.ts'
import { trendTest } from './trend-test.ts'
import { trustPolicy } from './trust-policy.ts'
import { urlSafety } from './url-safety.ts'
import { usageReport } from './usage-report.ts'
import { vectorPacking } from './vector-packing.ts'
import { voteArbitration } from './vote-arbitration.ts'

const all: readonly Skill[] = [
  agentDiscovery,
  anomalyDetection,
  assignment,
  auditChainVerification,
  banditRouting,
  budgetAllocation,
  contentDigest,
  correlation,
  costAttribution,
  criticalPath,
  cvssScoring,
  dependencyAudit,
  distributionSummary,
  forecast,
  funnelAnalysis,
  keyRotation,
  licenceCompatibility,
  logClustering,
  merkleInclusion,
  multiCriteriaRanking,
  pairwiseRating,
  permissionAudit,
  piiRedaction,
  promptInjectionScan,
  proportionTest,
  queueCapacity,
  rankFusion,
  rankedConsensus,
  rendezvousHashing,
  replicaMerge,
  responseTuning,
  routeSearch,
  schemaCompatibility,
  schemaTranslation,
  secretScan,
  signatureVerification,
  sloBurnRate,
  taskDecomposition,
  thresholdCalibration,
  tokenBucket,
  tokenInspection,
  toolPoisoningScan,
  trendTest,
  trustPolicy,
  urlSafety,
  usageReport,
  vectorPacking,
  voteArbitration,
]

/** Every skill that a manifest may name, by its name. */
export const skills: ReadonlyMap<string, Skill> = new Map(all.map((one) => [one.name, one]))
