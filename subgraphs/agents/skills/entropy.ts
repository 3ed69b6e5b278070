/** Shannon's entropy of a string's characters, in bits per character. */
export function entropyBits(text: string): number {
  const characters = Array.from(text)
  const counts = new Map<string, number>()
  for (const one of characters) counts.set(one, (counts.get(one) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values())
    bits -= (count / characters.length) * Math.log2(count / characters.length)
  return bits
}
