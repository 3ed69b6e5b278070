import { createHash, createPublicKey, verify } from 'node:crypto'
import { z } from 'zod'
import { skill } from './skill.ts'

/** Whether an Ed25519 signature (RFC 8032) over a message is by the holder of a key. */
export const signatureVerification = skill({
  name: 'signature-verification',
  configuration: z.strictObject({
    /** Stands before the message, so that a signature made for one purpose is worth nothing for another. */
    domain: z.string().max(60),
    /** RFC 7638 thumbprints of the keys that are trusted; empty for any key. */
    trustedKeys: z.array(z.string().length(43)).max(50),
  }),
  input: z.strictObject({
    message: z.string().max(20_000).describe('What was signed'),
    signature: z
      .string()
      .regex(/^[A-Za-z0-9_-]{86}$/)
      .describe('64 bytes, base64url'),
    publicKey: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/)
      .describe('32 bytes, base64url: `x` of the JWK'),
  }),
  output: z.strictObject({
    verified: z.boolean().describe('The signature holds and the key is trusted'),
    keyThumbprint: z.string().describe('RFC 7638, SHA-256'),
    reason: z.string().describe('Why, in words'),
  }),
  run({ message, signature, publicKey }, { domain, trustedKeys }) {
    const jwk = { crv: 'Ed25519', kty: 'OKP', x: publicKey }
    const keyThumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')
    const trusted = trustedKeys.length === 0 || trustedKeys.includes(keyThumbprint)
    const holds = verify(
      null,
      Buffer.from(domain + message),
      createPublicKey({ key: jwk, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    )
    return {
      verified: holds && trusted,
      keyThumbprint,
      reason: !holds
        ? 'The signature is not by this key over this message.'
        : trusted
          ? 'The signature holds.'
          : 'The signature holds, but the key is not trusted here.',
    }
  },
})
