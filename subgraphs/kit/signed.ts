import { createPublicKey, type JsonWebKeyInput, verify } from 'node:crypto'

export type PublicKey = JsonWebKeyInput['key'] & { kid?: string }

/**
 * What a compact JWS (EdDSA) says, where one of the keys has signed it for this audience; null where none has. With Node alone,
 * for scripts that are to be read and run anywhere; whether it has ended is theirs to look at.
 */
export function signedBy<T extends { aud: string }>(
  keys: readonly PublicKey[],
  jws: string,
  audience: string,
): T | null {
  const [header = '', payload = '', signature = '', ...rest] = jws.split('.')
  const { alg, kid } = decoded(header) as { alg?: unknown; kid?: unknown }
  const key = keys.find((each) => each.kid === kid)
  if (key === undefined || alg !== 'EdDSA' || rest.length > 0) return null
  const isSigned = verify(
    null,
    Buffer.from(`${header}.${payload}`),
    createPublicKey({ key, format: 'jwk' }),
    Buffer.from(signature, 'base64url'),
  )
  const claims = isSigned ? (decoded(payload) as T) : null
  return claims?.aud === audience ? claims : null
}

/** The keys of a JSON Web Key Set, or of an answer of the graph that holds one; throws where there are none. */
export function keysIn(text: string): PublicKey[] {
  const found = findIn(JSON.parse(text), 'keys')
  if (Array.isArray(found) && found.length > 0) return found as PublicKey[]
  throw new Error('there is no JSON Web Key Set')
}

/** The first field of this name, outermost first. */
export function findIn(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name]
  for (const each of Object.values(value)) {
    const found = findIn(each, name)
    if (found !== undefined) return found
  }
  return undefined
}

function decoded(part: string): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
