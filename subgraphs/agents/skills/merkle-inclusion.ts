import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { skill } from './skill.ts'

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/)
const countSchema = z.int().max(Number.MAX_SAFE_INTEGER)

/** Whether an entry is in a transparency log's tree: inclusion proofs of RFC 9162, section 2.1.3.2, with SHA-256. */
export const merkleInclusion = skill({
  name: 'merkle-inclusion',
  configuration: z.strictObject({
    /** Tree heads of logs that are trusted, by name; empty: the head that comes with the proof is taken as it is. */
    trustedHeads: z.record(
      z.string().max(80),
      z.strictObject({ size: countSchema.min(1), root: hashSchema }),
    ),
  }),
  input: z.strictObject({
    entry: z.string().max(20_000).describe('The leaf’s content'),
    encoding: z.enum(['text', 'hex']).optional().describe('How it is written here; text unless told'),
    index: countSchema.min(0).describe('Its place in the log, from 0'),
    treeSize: countSchema.min(1).describe('Of the tree that the proof is for'),
    root: hashSchema.describe('Of that tree'),
    path: z.array(hashSchema).max(64).describe('The inclusion proof, from the leaf up'),
  }),
  output: z.strictObject({
    included: z.boolean().describe('The proof leads to the root'),
    trusted: z.string().nullable().describe('The log whose known head this is; null where it is none'),
    leafHash: z.string().describe('SHA-256 of 0x00 and the content'),
    computedRoot: z
      .string()
      .nullable()
      .describe('Where the proof leads; null where its length can’t be right'),
    reason: z.string().describe('In words'),
  }),
  run({ entry, encoding = 'text', index, treeSize, root, path }, { trustedHeads }) {
    const leaf = hashed([0], entryBytes(entry, encoding))
    const computed = rootFrom(leaf, index, treeSize, path)
    const included = computed !== null && timingSafeEqual(Buffer.from(root, 'hex'), computed)
    const trusted = Object.entries(trustedHeads).find(
      ([, head]) => head.size === treeSize && head.root === root,
    )?.[0]
    return {
      included,
      trusted: trusted ?? null,
      leafHash: leaf.toString('hex'),
      computedRoot: computed?.toString('hex') ?? null,
      reason: reason(index, treeSize, computed, included),
    }
  },
})

function entryBytes(entry: string, encoding: 'text' | 'hex'): Buffer {
  if (encoding === 'text') return Buffer.from(entry, 'utf8')
  if (!/^(?:[0-9a-f]{2})*$/i.test(entry)) throw new Error('entry: is not hexadecimal')
  return Buffer.from(entry, 'hex')
}

/** Leaves and inner nodes are hashed apart, so that none can stand for the other. */
const hashed = (prefix: number[], ...parts: Buffer[]) =>
  createHash('sha256')
    .update(Buffer.concat([Buffer.from(prefix), ...parts]))
    .digest()

/** The standard's fn and sn, with division for shifts: a tree may have more leaves than 32 bits count. */
function rootFrom(leaf: Buffer, index: number, treeSize: number, path: readonly string[]): Buffer | null {
  if (index >= treeSize) return null
  let [fn, sn] = [index, treeSize - 1]
  let node = leaf
  const up = () => ([fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)])
  for (const sibling of path.map((one) => Buffer.from(one, 'hex'))) {
    if (sn === 0) return null
    if (fn % 2 === 1 || fn === sn) {
      node = hashed([1], sibling, node)
      while (fn % 2 === 0 && fn !== 0) up()
    } else node = hashed([1], node, sibling)
    up()
  }
  return sn === 0 ? node : null
}

function reason(index: number, treeSize: number, computed: Buffer | null, included: boolean): string {
  if (included) return 'The entry is in the tree.'
  if (index >= treeSize) return `A tree of ${treeSize} has no place ${index}.`
  return computed ? 'The proof leads to another root.' : 'The proof has the wrong length for this place.'
}
