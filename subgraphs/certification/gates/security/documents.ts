import type { ExaminedAgent } from '../../agent.ts'
import type { Check } from '../../store.ts'
import { type Weakness, weaknessCheck } from '../weakness.ts'
import { schemaWeaknesses } from './input-schemas.ts'
import { licenceWeaknesses } from './licence.ts'
import { weakness } from './rules.ts'
import { secretsIn, withoutSecrets } from './secrets.ts'
import { subjectOf } from './subject.ts'
import { textsOf } from './texts.ts'
import { wordingWeaknesses } from './wording.ts'

export type Examined = { checks: Check[]; found: Weakness[] }

/** What the manifest says, without a look at the agent. */
export function examineManifest({
  manifest,
  capabilities,
}: Pick<ExaminedAgent, 'manifest' | 'capabilities'>): Examined {
  const texts = textsOf(manifest)
  if (!texts) {
    const found = [weakness('manifest-too-large', '', 'more texts than are read')]
    return { checks: [weaknessCheck('the manifest can be read', found)], found }
  }
  const { speaksOfSecrets, speaksOfAttacks, readsCode } = subjectOf(manifest)
  return examined([
    ['the manifest holds no secrets', secretsIn(texts, speaksOfSecrets)],
    ['its licence is known', licenceWeaknesses(manifest), 'an SPDX expression'],
    ['its texts instruct and deceive nobody', wordingWeaknesses(withoutSecrets(texts), speaksOfAttacks)],
    ['its inputs ask for no more than the task needs', schemaWeaknesses(capabilities, readsCode)],
  ])
}

export function examined(
  parts: readonly (readonly [name: string, found: Weakness[], clean?: string])[],
): Examined {
  return {
    checks: parts.map(([name, found, clean]) => weaknessCheck(name, found, clean)),
    found: parts.flatMap(([, found]) => found),
  }
}
