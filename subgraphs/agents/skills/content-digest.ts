import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { skill } from './skill.ts'

const algorithmSchema = z.enum(['sha-256', 'sha-384', 'sha-512'])
type Algorithm = z.output<typeof algorithmSchema>
const outcomeSchema = z.enum(['MATCH', 'MISMATCH', 'NOT_TRUSTED'])
type Outcome = z.output<typeof outcomeSchema>
type Claim = { algorithm: string; digest: Buffer }

/** How each format writes algorithm and digest; entries of a field are separated by `separator`. */
const formats = {
  /** RFC 9530: `sha-256=:BASE64:, sha-512=:BASE64:` */
  'content-digest': {
    separator: ',',
    entry: /^([a-z0-9-]{3,20})=:([A-Za-z0-9+/]{1,128}={0,2}):$/,
    text: 'base64',
  },
  /** OCI descriptors: `sha256:HEX` */
  oci: { separator: ' ', entry: /^([a-z0-9-]{3,20}):([0-9a-f]{1,128})$/, text: 'hex' },
  /** Subresource Integrity: `sha384-BASE64 sha512-BASE64` */
  'subresource-integrity': {
    separator: ' ',
    entry: /^([a-z0-9]{3,20})-([A-Za-z0-9+/]{1,128}={0,2})$/,
    text: 'base64',
  },
} as const

/** Whether content is what a digest field says: RFC 9530, OCI descriptors or Subresource Integrity. */
export const contentDigest = skill({
  name: 'content-digest',
  configuration: z.strictObject({
    format: z.enum(['content-digest', 'oci', 'subresource-integrity']),
    /** Digests by another algorithm count for nothing. */
    algorithms: z.array(algorithmSchema).min(1),
  }),
  input: z.strictObject({
    content: z.string().max(100_000).describe('What was received'),
    encoding: z
      .enum(['text', 'base64'])
      .optional()
      .describe('How the content is written here; text unless told'),
    digest: z.string().min(1).max(2000).describe('The field that came with it'),
  }),
  output: z.strictObject({
    verified: z.boolean().describe('At least one trusted digest, and all of those match'),
    sizeBytes: z.int().describe('Of the content'),
    checks: z
      .array(
        z.strictObject({
          algorithm: z.string().describe('As written'),
          outcome: outcomeSchema.describe('What came out'),
        }),
      )
      .describe('A check per digest in the field'),
  }),
  run({ content, encoding = 'text', digest }, { format, algorithms }) {
    const bytes = Buffer.from(content, encoding === 'text' ? 'utf8' : 'base64')
    const checks = claims(digest, format).map((claim) => ({
      algorithm: claim.algorithm,
      outcome: outcome(bytes, claim, algorithms),
    }))
    const trusted = checks.filter((check) => check.outcome !== 'NOT_TRUSTED')
    return {
      verified: trusted.length > 0 && trusted.every((check) => check.outcome === 'MATCH'),
      sizeBytes: bytes.length,
      checks,
    }
  },
})

function claims(field: string, format: keyof typeof formats): Claim[] {
  const { separator, entry, text } = formats[format]
  return field
    .split(separator)
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => {
      const [, algorithm, digest] = entry.exec(part) ?? []
      if (!algorithm || !digest) throw new Error(`digest: ${part} is not in the form of ${format}`)
      return { algorithm, digest: Buffer.from(digest, text) }
    })
}

function outcome(content: Buffer, claim: Claim, trusted: Algorithm[]): Outcome {
  const known = trusted.find((algorithm) => algorithm.replace('-', '') === claim.algorithm.replace('-', ''))
  if (!known) return 'NOT_TRUSTED'
  const actual = createHash(known.replace('-', '')).update(content).digest()
  return claim.digest.length === actual.length && timingSafeEqual(claim.digest, actual) ? 'MATCH' : 'MISMATCH'
}
