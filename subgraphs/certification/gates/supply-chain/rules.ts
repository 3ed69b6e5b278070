import type { Rule, Severity, Weakness } from '../weakness.ts'

const rules = {
  'sbom-not-readable': { severity: 'HIGH', threat: 'ASI04', advice: 'publish CycloneDX 1.4 to 1.7 as JSON' },
  'sbom-empty': {
    severity: 'HIGH',
    threat: 'ASI04',
    advice: 'name the components that the agent is made of',
  },
  'sbom-of-another-version': {
    severity: 'MEDIUM',
    threat: 'ASI04',
    advice: 'make it anew with each version',
  },
  'component-not-known': {
    severity: 'LOW',
    threat: 'ASI04',
    advice: 'name each component by a purl with a version',
  },
  'version-not-comparable': {
    severity: 'MEDIUM',
    threat: 'ASI04',
    advice: 'look at the record: nobody here knows the order of these versions',
  },
  'vulnerable-component': { severity: 'MEDIUM', threat: 'ASI04', advice: 'use a version without it' },
  'denied-licence': { severity: 'HIGH', threat: 'ASI04', advice: 'replace the component' },
  'component-without-licence': {
    severity: 'LOW',
    threat: 'ASI04',
    advice: 'name the licence of each component',
  },
} as const satisfies Record<string, Rule>

/** `severity`: instead of the rule's own, where the record knows better. */
export const weakness = (
  rule: keyof typeof rules,
  at: string,
  seen: string,
  severity: Severity = rules[rule].severity,
): Weakness => ({ rule, ...rules[rule], severity, at, seen })
