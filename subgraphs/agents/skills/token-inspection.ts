import { decodeJwt, decodeProtectedHeader, errors, importJWK, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import { skill } from './skill.ts'

const algorithmSchema = z.enum([
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
])
const jwkSchema = z.strictObject({
  kty: z.enum(['OKP', 'EC', 'RSA']).describe('Public keys only'),
  crv: z.string().max(20).optional().describe('Curve of OKP and EC'),
  x: z.string().max(100).optional().describe('Of OKP and EC'),
  y: z.string().max(100).optional().describe('Of EC'),
  n: z.string().max(1400).optional().describe('Of RSA'),
  e: z.string().max(10).optional().describe('Of RSA'),
})
const severitySchema = z.enum(['HIGH', 'MEDIUM', 'LOW'])
const signatureSchema = z.enum(['VALID', 'INVALID', 'NOT_CHECKED'])
type Signature = z.output<typeof signatureSchema>

/** What is wrong with a JSON Web Token by RFC 8725 (best current practices); verified only if a key is given. */
export const tokenInspection = skill({
  name: 'token-inspection',
  configuration: z.strictObject({
    algorithms: z.array(algorithmSchema).min(1),
    /** Who the token should be for; empty: whoever it names. */
    audiences: z.array(z.string().min(1).max(300)).max(20),
    requiredClaims: z.array(z.string().min(1).max(60)).max(20),
    maxLifetimeSeconds: z.int().min(1).max(315_360_000),
    clockSkewSeconds: z.int().min(0).max(600),
  }),
  input: z.strictObject({
    token: z.string().min(1).max(8000).describe('Compact form: three parts with dots'),
    key: jwkSchema.optional().describe('Public JWK of the issuer, to verify with'),
  }),
  output: z.strictObject({
    signature: signatureSchema.describe('NOT_CHECKED without a key'),
    acceptable: z.boolean().describe('Signature valid, and nothing of HIGH or MEDIUM severity'),
    algorithm: z.string().nullable().describe('As the header says'),
    subject: z.string().nullable().describe('Claim sub'),
    expiresAt: z.string().nullable().describe('Claim exp'),
    findings: z
      .array(
        z.strictObject({
          severity: severitySchema.describe('How bad'),
          rule: z.string().describe('What it is about'),
          detail: z.string().describe('In words'),
        }),
      )
      .describe('Worst first'),
  }),
  async run({ token, key }, configuration, context) {
    const { header, claims } = parts(token)
    const now = context.now().getTime() / 1000
    const findings = [
      ...headerFindings(header, configuration.algorithms),
      ...claimFindings(claims, now, configuration),
    ]
    const signature: Signature = key
      ? await verified(token, { ...key }, configuration.algorithms)
      : 'NOT_CHECKED'
    if (signature === 'INVALID')
      findings.push({
        severity: 'HIGH',
        rule: 'signature',
        detail: 'It was not made with this key over these claims.',
      })
    return {
      signature,
      acceptable: signature === 'VALID' && findings.every(({ severity }) => severity === 'LOW'),
      algorithm: typeof header.alg === 'string' ? header.alg : null,
      subject: typeof claims.sub === 'string' ? claims.sub : null,
      expiresAt: isTime(claims.exp) ? new Date(claims.exp * 1000).toISOString() : null,
      findings: findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity)),
    }
  },
})

type Finding = { severity: z.output<typeof severitySchema>; rule: string; detail: string }
const order = severitySchema.options

function parts(token: string): { header: Record<string, unknown>; claims: JWTPayload } {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) }
  } catch {
    throw new Error('token: is not a JWS in compact form with JSON claims')
  }
}

function headerFindings(header: Record<string, unknown>, algorithms: readonly string[]): Finding[] {
  const found: Finding[] = []
  const say = (severity: Finding['severity'], rule: string, detail: string) =>
    found.push({ severity, rule, detail })
  const algorithm = String(header.alg)
  if (/^none$/i.test(algorithm)) say('HIGH', 'alg-none', 'It is not signed at all.')
  else if (algorithm.startsWith('HS'))
    say('HIGH', 'alg-symmetric', `${algorithm}: who takes a public key for its secret can be deceived.`)
  else if (!algorithms.includes(algorithm))
    say('HIGH', 'alg', `${algorithm} is none of ${algorithms.join(', ')}.`)
  for (const name of ['jku', 'x5u', 'jwk', 'x5c'])
    if (header[name] !== undefined) say('HIGH', 'own-key', `Its header brings the key to trust: ${name}.`)
  const kid = typeof header.kid === 'string' ? header.kid : ''
  if (/\.\.|[/\\]|%2e|%2f|\0/i.test(kid)) say('HIGH', 'kid-path', 'Its kid leads to a file.')
  else if (/['"`;|&$(){}<>\s]|--/.test(kid))
    say('HIGH', 'kid-injection', 'Its kid has characters of a query or a shell.')
  if (header.crit !== undefined)
    say('MEDIUM', 'crit', 'It demands extensions that a receiver must understand.')
  if (header.typ === undefined) say('LOW', 'no-typ', 'It does not say what kind of token it is.')
  return found
}

function claimFindings(
  claims: JWTPayload,
  now: number,
  configuration: {
    audiences: string[]
    requiredClaims: string[]
    maxLifetimeSeconds: number
    clockSkewSeconds: number
  },
): Finding[] {
  const { audiences, requiredClaims, maxLifetimeSeconds, clockSkewSeconds: skew } = configuration
  const found: Finding[] = []
  const say = (severity: Finding['severity'], rule: string, detail: string) =>
    found.push({ severity, rule, detail })
  const { exp, nbf, iat } = claims
  for (const [name, time] of Object.entries({ exp, nbf, iat }))
    if (time !== undefined && !isTime(time)) say('HIGH', 'not-a-time', `${name} is no number of seconds.`)
  if (exp === undefined) say('HIGH', 'no-exp', 'It never expires.')
  if (isTime(exp) && exp + skew <= now) say('HIGH', 'expired', 'It has expired.')
  if (isTime(nbf) && nbf - skew > now) say('HIGH', 'not-yet', 'It is not valid yet.')
  if (isTime(iat) && iat - skew > now) say('MEDIUM', 'issued-in-future', 'It was issued in the future.')
  const from = isTime(iat) ? iat : isTime(nbf) ? nbf : now
  if (isTime(exp) && exp - from > maxLifetimeSeconds)
    say(
      'MEDIUM',
      'lifetime',
      `It lives ${Math.round(exp - from)} s, at most ${maxLifetimeSeconds} are allowed.`,
    )
  const named = [claims.aud ?? []].flat()
  if (named.length === 0) say('MEDIUM', 'no-aud', 'It is for anybody.')
  else if (audiences.length > 0 && !named.some((one) => audiences.includes(one)))
    say('HIGH', 'aud', `It is for ${named.join(', ').slice(0, 200)}.`)
  for (const claim of requiredClaims)
    if (!Object.hasOwn(claims, claim)) say('MEDIUM', 'missing-claim', `${claim} is missing.`)
  for (const claim of Object.keys(claims))
    if (/pass(?:word|wd)|secret|ssn|card_?number|cvv/i.test(claim))
      say('MEDIUM', 'sensitive-claim', `${claim.slice(0, 60)} can be read by anybody who holds it.`)
  return found
}

/** What a Date can hold. */
const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && Math.abs(value) < 8e12

/** Claims are judged apart: of a token that has expired it is still worth knowing whether it is genuine. */
async function verified(
  token: string,
  jwk: Record<string, string | undefined>,
  algorithms: string[],
): Promise<Signature> {
  try {
    const present = Object.fromEntries(Object.entries(jwk).filter(([, value]) => value !== undefined))
    const algorithm = decodeProtectedHeader(token).alg
    if (algorithm === undefined || !algorithms.includes(algorithm)) return 'INVALID'
    await jwtVerify(token, await importJWK(present, algorithm), { algorithms, currentDate: new Date(0) })
    return 'VALID'
  } catch (error) {
    if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired) return 'VALID'
    return 'INVALID'
  }
}
