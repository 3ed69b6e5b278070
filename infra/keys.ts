import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose'

export type KeyPurpose = 'issuer' | 'internal' | 'cursor' | 'certificate'

type SignOptions = { audience: string; issuer?: string; subject?: string; ttlSeconds: number }

export type Keys = {
  /** A compact JWS with `iat` and `exp`. */
  sign(claims: JWTPayload, options: SignOptions): Promise<string>
  /** Throws jose's errors; `exp` and `aud` are mandatory, only EdDSA is accepted. */
  verify(token: string, options: { audience: string; issuer?: string }): Promise<JWTPayload>
  /** The newest private key, for signatures that are not JWTs. */
  signingKey: { kid: string; jwk: JWK }
  publicJwks(): JSONWebKeySet
}

/**
 * Ed25519 keys of one purpose: files `<purpose>-<created>-<kid>.jwk` in `dir`. The newest signs, all verify, so that
 * adding a file rotates and deleting an old one ends its validity. Made on first use, as `<purpose>-0-first.jwk`.
 */
export async function openKeys(dir: string, purpose: KeyPurpose): Promise<Keys> {
  const jwks = await keysIn(dir, purpose, newSigningKey)
  const newest = jwks.at(-1)
  if (!newest?.kid) throw new Error(`no usable ${purpose} key in ${dir}`)
  const kid = newest.kid
  const privateKey = await importJWK(newest, 'EdDSA')
  const publicKeys: JSONWebKeySet = { keys: jwks.map(({ d: _private, ...rest }) => rest) }
  const keySet = createLocalJWKSet(publicKeys)
  return {
    async sign(claims, { audience, issuer, subject, ttlSeconds }) {
      const nowSeconds = Math.floor(Date.now() / 1000)
      const jwt = new SignJWT(claims)
        .setProtectedHeader({ alg: 'EdDSA', kid })
        .setAudience(audience)
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + ttlSeconds)
      if (issuer !== undefined) jwt.setIssuer(issuer)
      if (subject !== undefined) jwt.setSubject(subject)
      return await jwt.sign(privateKey)
    },
    async verify(token, { audience, issuer }) {
      const { payload } = await jwtVerify(token, keySet, {
        algorithms: ['EdDSA'],
        audience,
        requiredClaims: ['exp', 'aud'],
        ...(issuer === undefined ? {} : { issuer }),
      })
      return payload
    },
    signingKey: { kid, jwk: newest },
    publicJwks: () => publicKeys,
  }
}

async function newSigningKey(): Promise<KeptKey> {
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'EdDSA', use: 'sig' }
}

export type KeptKey = JWK & { kid: string }

/** The keys of one purpose, the oldest first; where there is none, the one made. */
export async function keysIn(dir: string, purpose: string, make: () => Promise<KeptKey>): Promise<JWK[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const jwks = await readKeys(dir, purpose)
  if (jwks.length > 0) return jwks
  await keepFirstKey(dir, purpose, await make())
  return await readKeys(dir, purpose)
}

async function readKeys(dir: string, purpose: string): Promise<JWK[]> {
  const names = (await readdir(dir)).filter((name) => name.startsWith(`${purpose}-`) && name.endsWith('.jwk'))
  return await Promise.all(
    names.toSorted().map(async (name) => JSON.parse(await readFile(join(dir, name), 'utf8')) as JWK),
  )
}

// Several processes start at once on a new data folder: of all links of this name the first one holds, and it is there
// whole or not at all, whoever is killed meanwhile.
async function keepFirstKey(dir: string, purpose: string, jwk: KeptKey): Promise<void> {
  const half = join(dir, `${jwk.kid}.new`)
  await writeFile(half, JSON.stringify(jwk), { mode: 0o600 })
  try {
    await link(half, join(dir, `${purpose}-0-first.jwk`))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(half)
  }
}
