import { z } from 'zod'

const spoken = z.object({
  metadata: z.object({ name: z.string(), description: z.string() }),
  spec: z.object({
    subtype: z.string(),
    capabilities: z.array(z.object({ name: z.string(), description: z.string() })),
  }),
})

const secrets =
  /\b(?:secrets?|credentials?|passwords?|leak\w*|redact\w*|personal data|pii|jwt|(?:web|access|bearer|session|signed|security)[ -]tokens?)\b/i
const attacks =
  /\b(?:inject|poison|malicious|attack|threat|phish|jailbreak|moderat|manipulat|hostile|untrusted|secret|spam|abuse|hidden (?:orders|text|instruction)|security|suspicious|forged|tamper|look-alike|ssrf|mixed scripts)\w*/i

const readers =
  /\b(?:review|lint|scan|analy[sz]|explain|detect|count|highlight|format|document|compare|measur|summari[sz])\w*/i
const runners = /\b(?:run|runs|running|execut|evaluat|interpret|sandbox|query|queries)\w*/i

/** What an agent says that it is for, as far as that makes it show or take what others may not. */
export type Subject = {
  speaksOfSecrets: boolean
  speaksOfAttacks: boolean
  /** Capabilities that look at code and do not run it, by name. */
  readsCode: ReadonlySet<string>
}

export function subjectOf(manifest: unknown): Subject {
  const read = spoken.safeParse(manifest)
  if (!read.success) return { speaksOfSecrets: false, speaksOfAttacks: false, readsCode: new Set() }
  const { metadata, spec } = read.data
  const text = [
    metadata.name,
    metadata.description,
    spec.subtype,
    ...spec.capabilities.flatMap(({ name, description }) => [name, description]),
  ].join('\n')
  const reading = spec.capabilities.filter(
    ({ description }) => readers.test(description) && !runners.test(description),
  )
  return {
    speaksOfSecrets: secrets.test(text),
    speaksOfAttacks: attacks.test(text),
    readsCode: new Set(reading.map(({ name }) => name)),
  }
}
