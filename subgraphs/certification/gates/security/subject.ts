import { z } from 'zod'

const spoken = z.object({
  metadata: z.object({ name: z.string(), description: z.string() }),
  spec: z.object({
    subtype: z.string(),
    capabilities: z.array(z.object({ name: z.string(), description: z.string() })),
  }),
})

const secrets = /\b(?:secret|credential|token|password|leak|redact|personal data|pii)\w*/i
const attacks =
  /\b(?:inject|poison|malicious|attack|threat|phish|jailbreak|moderat|manipulat|hostile|untrusted|secret|spam|abuse|hidden (?:orders|text|instruction)|security|suspicious|forged|tamper|look-alike|ssrf|mixed scripts)\w*/i

/** What an agent says that it is for, as far as that makes it show what others may not. */
export function subjectOf(manifest: unknown): { speaksOfSecrets: boolean; speaksOfAttacks: boolean } {
  const read = spoken.safeParse(manifest)
  if (!read.success) return { speaksOfSecrets: false, speaksOfAttacks: false }
  const { metadata, spec } = read.data
  const text = [
    metadata.name,
    metadata.description,
    spec.subtype,
    ...spec.capabilities.flatMap(({ name, description }) => [name, description]),
  ].join('\n')
  return { speaksOfSecrets: secrets.test(text), speaksOfAttacks: attacks.test(text) }
}
