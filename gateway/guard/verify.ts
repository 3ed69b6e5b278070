import type { Keys } from '@community/infra/keys.ts'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import { refusal } from '../refusal.ts'
import { createSieve } from '../sieve.ts'

export type Principal = {
  subject: string
  organization: string | null
  scopes: readonly string[]
  /** Those of `@policy` that the issuer grants in the claim `policies`. */
  policies: readonly string[]
  /** Whether a token says so. */
  verified: boolean
}

/** `expiresAt` in milliseconds since 1970; null for the anonymous, who never expire. */
export type Identity = { principal: Principal; expiresAt: number | null }

/** The identity behind an Authorization header; anonymous without one. Throws UNAUTHENTICATED with what is wrong. */
export type Verifier = (authorization: string | undefined) => Promise<Identity>

export const anonymous: Identity = {
  principal: { subject: 'anonymous', organization: null, scopes: [], policies: [], verified: false },
  expiresAt: null,
}

type Issuer = { issuer: string; audience: string } & ({ jwksUrl: string } | { keys: Keys })

export function createVerifier(source: Issuer): Verifier {
  const verified =
    'keys' in source
      ? (token: string) => source.keys.verify(token, { audience: source.audience, issuer: source.issuer })
      : remoteVerification(source)
  // A signature that was good stays good until the token ends.
  const known = createSieve<Identity>(rememberedTokens)
  // Operations that come together with one token go on in their order, and it is verified once.
  const underWay = new Map<string, Promise<Identity>>()

  async function identityOf(authorization: string): Promise<Identity> {
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
    if (token === undefined) throw unauthenticated('expected `Authorization: Bearer <token>`')
    const found = identity(
      await verified(token).catch((error: unknown) => {
        throw error instanceof errors.JOSEError ? unauthenticated(reasonOf(error), error) : error
      }),
    )
    known.set(authorization, found)
    return found
  }

  return async (authorization) => {
    if (authorization === undefined || authorization === '') return anonymous
    const remembered = known.get(authorization)
    if (remembered?.expiresAt && remembered.expiresAt > Date.now()) return remembered
    if (authorization.length > longestToken)
      throw unauthenticated(`the token is longer than ${longestToken} characters`)
    const verifying =
      underWay.get(authorization) ?? identityOf(authorization).finally(() => underWay.delete(authorization))
    underWay.set(authorization, verifying)
    return await verifying
  }
}

const rememberedTokens = 10_000
const longestToken = 8_192

function remoteVerification({
  jwksUrl,
  audience,
  issuer,
}: {
  jwksUrl: string
  audience: string
  issuer: string
}) {
  const keySet = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: 5_000 })
  return async (token: string): Promise<JWTPayload> => {
    const { payload } = await jwtVerify(token, keySet, {
      algorithms: ['EdDSA', 'RS256', 'ES256'],
      audience,
      issuer,
      requiredClaims: ['exp', 'sub', 'iss', 'aud'],
    })
    return payload
  }
}

const claims = z.object({
  sub: z.string().min(1),
  exp: z.number(),
  org: z.string().min(1).optional(),
  scope: z.string().default(''),
  policies: z.array(z.string()).default([]),
})

function identity(payload: JWTPayload): Identity {
  const parsed = claims.safeParse(payload)
  if (!parsed.success)
    throw unauthenticated(
      parsed.error.issues.map((issue) => `claim ${issue.path.join('.')}: ${issue.message}`).join(', '),
    )
  const { sub, exp, org, scope, policies } = parsed.data
  return {
    principal: {
      subject: sub,
      organization: org ?? null,
      scopes: scope.split(' ').filter((each) => each !== ''),
      policies,
      verified: true,
    },
    expiresAt: exp * 1000,
  }
}

function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JWTClaimValidationFailed)
    return `the token's claim ${error.claim} is not as expected`
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return 'the signature of the token does not verify'
  if (error instanceof errors.JWKSNoMatchingKey)
    return 'the token is signed with a key that the issuer does not have'
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token's algorithm is not allowed"
  return 'the token is not a valid JWT'
}

const unauthenticated = (why: string, cause?: Error) =>
  Object.assign(refusal('UNAUTHENTICATED', why), cause ? { cause } : {})
