import { lookAlikes } from '../../kit/look-alikes.ts'

/** A character as a reader sees it: compatibility forms folded (UAX #15), lower case, look-alikes as Latin letters. */
export function plainCharacter(character: string): string {
  const folded = character.normalize('NFKC').toLowerCase()
  return Array.from(folded, (one) => lookAlikes.get(one) ?? one).join('')
}

/** Equal for names that a reader can't tell apart; digits that look like letters count as those. */
export const skeleton = (name: string): string =>
  Array.from(name.normalize('NFKD').replaceAll(/\p{M}/gu, ''), plainCharacter)
    .join('')
    .replaceAll('0', 'o')
    .replaceAll(/[1|]/g, 'l')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll(/[-_.\s]+/g, '-')

/** Whether one word is written in scripts that no language writes together (UTS #39, highly restrictive). */
export function mixesScripts(word: string): boolean {
  const scripts = scriptTests.filter(([, test]) => test.test(word)).map(([script]) => script)
  return scripts.length > 1
}

const scriptTests: readonly [string, RegExp][] = [
  ['Latin', /\p{Script=Latin}/u],
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Greek', /\p{Script=Greek}/u],
  ['Armenian', /\p{Script=Armenian}/u],
  ['Hebrew', /\p{Script=Hebrew}/u],
  ['Arabic', /\p{Script=Arabic}/u],
  ['Cherokee', /\p{Script=Cherokee}/u],
]
