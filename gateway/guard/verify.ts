import type { Keys } from '@community/infra/keys.ts'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import { refusal } from '../refusal.ts'

export type Principal = { subject: string; organization: string | null; scopes: readonly string[] }

/** `expiresAt` in milliseconds since 1970; null for the anonymous, who never expire. */
export type Identity = { principal: Principal; expiresAt: number | null }

/** The identity behind an Authorization header; anonymous without one. Throws UNAUTHENTICATED with what is wrong. */
export type Verifier = (authorization: string | undefined) => Promise<Identity>

export const anonymous: Identity = {
  principal: { subject: 'anonymous', organization: null, scopes: [] },
  expiresAt: null,
}

type Issuer = { issuer: string; audience: string } & ({ jwksUrl: string } | { keys: Keys })

export function createVerifier(source: Issuer): Verifier {
  const verified =
    'keys' in source
      ? (token: string) => source.keys.verify(token, { audience: source.audience, issuer: source.issuer })
      : remoteVerification(source)
  return async (authorization) => {
    if (authorization === undefined || authorization === '') return anonymous
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
    if (token === undefined) throw unauthenticated('expected `Authorization: Bearer <token>`')
    return identity(
      await verified(token).catch((error: unknown) => {
        throw error instanceof errors.JOSEError ? unauthenticated(reasonOf(error), error) : error
      }),
    )
  }
}

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
})

function identity(payload: JWTPayload): Identity {
  const parsed = claims.safeParse(payload)
  if (!parsed.success)
    throw unauthenticated(
      parsed.error.issues.map((issue) => `claim ${issue.path.join('.')}: ${issue.message}`).join(', '),
    )
  const { sub, exp, org, scope } = parsed.data
  return {
    principal: {
      subject: sub,
      organization: org ?? null,
      scopes: scope.split(' ').filter((each) => each !== ''),
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
