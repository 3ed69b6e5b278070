import { countTokens as countExactly } from 'gpt-tokenizer/encoding/o200k_base'

// Byte pairs are merged in quadratic time within a run of one kind: 200,000 spaces took 18 s.
const maxRun = 256
const longRun = new RegExp(
  `[\\p{L}\\p{M}]{${maxRun + 1},}|\\s{${maxRun + 1},}|[^\\s\\p{L}\\p{N}]{${maxRun + 1},}`,
  'gu',
)

/**
 * Tokens of o200k_base; control words as `<|endoftext|>` count as the text that they are. Runs of more than 256
 * letters, spaces or signs are counted in slices, which may add a token for each.
 */
export function countTokens(text: string): number {
  let tokens = 0
  let counted = 0
  for (const { 0: run, index } of text.matchAll(longRun)) {
    tokens += count(text.slice(counted, index))
    for (let at = 0; at < run.length; at += maxRun) tokens += count(run.slice(at, at + maxRun))
    counted = index + run.length
  }
  return tokens + count(text.slice(counted))
}

const count = (text: string) => (text === '' ? 0 : countExactly(text, { disallowedSpecial: new Set() }))
