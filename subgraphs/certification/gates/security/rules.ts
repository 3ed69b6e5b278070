import type { Rule, Weakness } from '../weakness.ts'

/** Each with the risk it opens the door to, in OWASP's Top 10 for Agentic Applications 2026 (December 2025). */
const rules = {
  'embedded-secret': {
    severity: 'CRITICAL',
    threat: 'ASI03',
    advice: 'revoke it, and take it out of the manifest',
  },
  'secret-in-example': {
    severity: 'MEDIUM',
    threat: 'ASI03',
    advice: 'make sure that it is made up, as an agent that looks for secrets may show one',
  },
  'no-licence': {
    severity: 'LOW',
    threat: 'ASI04',
    advice: 'say in metadata.license under which terms it is offered',
  },
  'unknown-licence': {
    severity: 'HIGH',
    threat: 'ASI04',
    advice: 'write it as an SPDX expression, as Apache-2.0',
  },
  'instruction-override': {
    severity: 'HIGH',
    threat: 'ASI01',
    advice: 'describe the agent, instruct nobody',
  },
  'unbound-persona': { severity: 'HIGH', threat: 'ASI01', advice: 'describe the agent, lift no limits' },
  'forged-delimiter': {
    severity: 'HIGH',
    threat: 'ASI01',
    advice: 'leave out what marks turns of a conversation',
  },
  concealment: { severity: 'HIGH', threat: 'ASI09', advice: 'hide nothing from people' },
  'claims-priority': {
    severity: 'HIGH',
    threat: 'ASI02',
    advice: 'say what it is good for, and leave to the caller when it is called',
  },
  exfiltration: {
    severity: 'CRITICAL',
    threat: 'ASI02',
    advice: 'ask for nothing that the task does not need',
  },
  'asks-for-conversation': { severity: 'MEDIUM', threat: 'ASI02', advice: 'ask for the part that is needed' },
  'attack-in-example': {
    severity: 'MEDIUM',
    threat: 'ASI01',
    advice: 'keep it to what shows how the agent treats attacks',
  },
  'attack-spoken-of': { severity: 'LOW', threat: 'ASI01', advice: 'describe attacks without their wording' },
  'encoded-instruction': { severity: 'CRITICAL', threat: 'ASI01', advice: 'write in clear what is meant' },
  'encoded-text': { severity: 'MEDIUM', threat: 'ASI01', advice: 'write in clear what is meant' },
  'invisible-characters': {
    severity: 'HIGH',
    threat: 'ASI01',
    advice: 'remove the characters that nobody can see',
  },
  'reordered-text': { severity: 'HIGH', threat: 'ASI01', advice: 'remove the overrides of direction' },
  'look-alike-letters': { severity: 'HIGH', threat: 'ASI09', advice: 'write each word in one script' },
  'hidden-markup': { severity: 'HIGH', threat: 'ASI01', advice: 'remove what is not shown to people' },
  'runs-what-it-is-given': {
    severity: 'HIGH',
    threat: 'ASI05',
    advice: 'take one of a fixed list (enum), or a pattern that lets no command through',
  },
  'asks-for-credentials': {
    severity: 'HIGH',
    threat: 'ASI03',
    advice: 'take a token by the protocol, not as input',
  },
  'free-address': {
    severity: 'MEDIUM',
    threat: 'ASI02',
    advice: 'allow known hosts or folders only (enum, pattern)',
  },
  'open-object': { severity: 'MEDIUM', threat: 'ASI02', advice: 'set additionalProperties to false' },
  'any-value': { severity: 'MEDIUM', threat: 'ASI02', advice: 'say which type is meant' },
  'unbounded-text': { severity: 'LOW', threat: 'ASI08', advice: 'set maxLength' },
  'unbounded-list': { severity: 'LOW', threat: 'ASI08', advice: 'set maxItems' },
  'manifest-too-large': {
    severity: 'HIGH',
    threat: 'ASI08',
    advice: 'keep the manifest to what can be read',
  },
  'endpoint-refused': { severity: 'HIGH', threat: 'ASI07', advice: 'serve it at a public address' },
  'plain-http': { severity: 'HIGH', threat: 'ASI07', advice: 'serve it over https' },
  'bad-certificate': {
    severity: 'HIGH',
    threat: 'ASI07',
    advice: 'serve a certificate that verifies, over TLS 1.2 or 1.3',
  },
  'certificate-ends-soon': { severity: 'LOW', threat: 'ASI07', advice: 'renew it' },
  'does-not-answer': { severity: 'HIGH', threat: 'ASI08', advice: 'answer each request within ten seconds' },
  'endless-answer': { severity: 'HIGH', threat: 'ASI08', advice: 'bound what is answered' },
  redirects: { severity: 'HIGH', threat: 'ASI07', advice: 'answer at the endpoint itself' },
  'any-origin-with-credentials': {
    severity: 'HIGH',
    threat: 'ASI03',
    advice: 'name the origins that may call with credentials',
  },
  'tells-its-software': {
    severity: 'LOW',
    threat: 'ASI03',
    advice: 'leave out the headers that name versions',
  },
  'no-strict-transport': { severity: 'LOW', threat: 'ASI07', advice: 'send strict-transport-security' },
  'follows-inner-addresses': {
    severity: 'CRITICAL',
    threat: 'ASI02',
    advice: 'refuse addresses that are not public, after resolving them',
  },
  'hangs-at-inner-address': {
    severity: 'MEDIUM',
    threat: 'ASI02',
    advice: 'refuse addresses that are not public, before anything is sent to them',
  },
  'tells-metadata': {
    severity: 'CRITICAL',
    threat: 'ASI03',
    advice: 'keep requests away from metadata services',
  },
} as const satisfies Record<string, Rule>

export type RuleName = keyof typeof rules

export const weakness = (rule: RuleName, at: string, seen: string): Weakness => ({
  rule,
  ...rules[rule],
  at,
  seen,
})
