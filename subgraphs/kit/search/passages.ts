import { createHash } from 'node:crypto'
import type { Entry } from './search-index.ts'

/** What is embedded of an entry: its name and description, which are its first two texts, then the examples. */
export const passagesOf = ({ texts, examples }: Pick<Entry<unknown>, 'texts' | 'examples'>): string[] => [
  `${texts[0]}: ${texts[1]}`,
  ...examples,
]

export const digestOf = (text: string) => createHash('sha256').update(text).digest('base64url')

/** A name as words. */
export const spaced = (name: string) => name.replace(/[-._]/g, ' ')
