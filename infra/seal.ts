import { randomUUID } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, exportJWK, generateSecret, importJWK } from 'jose'
import { type KeptKey, keysIn } from './keys.ts'

/** Keeps texts so that only this installation can read them. */
export type Seal = {
  /** A compact JWE (A256GCM), bound to what it belongs to. */
  close(text: string, owner: string): Promise<string>
  /** Throws where it was changed, belongs to another, or its key is no longer there. */
  open(sealed: string, owner: string): Promise<string>
}

/**
 * Files `sealing-<created>-<kid>.jwk` in `dir`: the newest closes, all open, as those of `openKeys`. Whoever deletes one can not
 * read any more what it has closed.
 */
export async function openSeal(dir: string): Promise<Seal> {
  const jwks = await keysIn(dir, 'sealing', newSealingKey)
  const kid = jwks.at(-1)?.kid
  if (kid === undefined) throw new Error(`no usable sealing key in ${dir}`)
  const keys = new Map(await Promise.all(jwks.map(async (jwk) => [jwk.kid, await importJWK(jwk)] as const)))
  const keyOf = (id: string | undefined) => {
    const key = keys.get(id)
    if (!key) throw new Error(`the key that this was sealed with is no longer there: ${id}`)
    return key
  }
  return {
    close: async (text, owner) =>
      await new CompactEncrypt(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid, sub: owner })
        .encrypt(keyOf(kid)),
    async open(sealed, owner) {
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, (header) => keyOf(header.kid), {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      })
      if (protectedHeader.sub !== owner) throw new Error(`this was sealed for another than ${owner}`)
      return new TextDecoder().decode(plaintext)
    },
  }
}

async function newSealingKey(): Promise<KeptKey> {
  const jwk = await exportJWK(await generateSecret('A256GCM', { extractable: true }))
  return { ...jwk, kid: randomUUID(), alg: 'A256GCM', use: 'enc' }
}
