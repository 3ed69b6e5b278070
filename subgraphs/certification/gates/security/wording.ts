import type { Weakness } from '../weakness.ts'
import { hiddenIn } from './hidden-text.ts'
import { saysIn } from './instructions.ts'
import { weakness } from './rules.ts'
import type { Text } from './texts.ts'

/**
 * What texts that models read try to do to them. An agent that examines what others wrote has to show attacks in its
 * examples and to speak of them: that is told, and does not count.
 */
export function wordingWeaknesses(texts: readonly Text[], speaksOfAttacks: boolean): Weakness[] {
  return texts.flatMap(({ at, text, isExample }) => {
    const said = saysIn(text).map(({ rule, seen, isReported }) =>
      weakness(isReported && speaksOfAttacks ? 'attack-spoken-of' : rule, at, seen),
    )
    const found = [...said, ...hiddenIn(at, text)]
    if (!isExample || !speaksOfAttacks) return found
    return found.map(({ rule, seen }) => weakness('attack-in-example', at, `${rule}: ${seen}`))
  })
}
