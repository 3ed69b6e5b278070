export type Text = {
  /** JSON pointer. */
  at: string
  text: string
  /** What a request says to the agent, and not the agent to who reads its manifest. */
  isExample: boolean
}

const maxTexts = 20_000
const maxCharacters = 1_000_000
const exampleInput = /\/examples\/\d+\/input(?:\/|$)/

/** What no model reads, and gates of its own do. */
const unread = new Set(['/spec/sbom'])

/** Every text of a document, the names of its fields too; null of one that has more than anybody reads. */
export function textsOf(document: unknown): Text[] | null {
  const found: Text[] = []
  const waiting = [{ at: '', value: document }]
  let characters = 0
  const add = (at: string, text: string) => {
    characters += text.length
    found.push({ at, text, isExample: exampleInput.test(at) })
  }
  // It grows while it is gone through.
  for (const { at, value } of waiting) {
    if (found.length > maxTexts || waiting.length > 4 * maxTexts || characters > maxCharacters) return null
    if (typeof value === 'string') add(at, value)
    if (typeof value !== 'object' || value === null) continue
    for (const [key, inner] of Object.entries(value)) {
      const pointer = `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
      if (unread.has(pointer)) continue
      if (!Array.isArray(value)) add(pointer, key)
      waiting.push({ at: pointer, value: inner })
    }
  }
  return found
}
