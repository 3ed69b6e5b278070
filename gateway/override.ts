import { randomInt } from 'node:crypto'

/** The labels of `@override(label:)` that hold for a request; asked once a request. */
export type RollLabels = () => ReadonlySet<string>

const none: ReadonlySet<string> = new Set()

/** `percent(n)` holds for n in a hundred requests, the same roll for all such labels; others while they are switched on. */
export function labelRoller(
  labels: Iterable<string>,
  switchedOn: readonly string[],
  roll: () => number = () => randomInt(1_000_000) / 10_000,
): RollLabels {
  const shares = new Map<string, number>()
  const fixed: string[] = []
  for (const label of labels) {
    const percent = /^percent\((\d+(?:\.\d+)?)\)$/.exec(label)?.[1]
    if (percent !== undefined) shares.set(label, Number(percent))
    else if (switchedOn.includes(label)) fixed.push(label)
  }
  if (shares.size === 0) return fixed.length === 0 ? () => none : () => new Set(fixed)
  return () => {
    const rolled = roll()
    return new Set([...fixed, ...[...shares].flatMap(([label, share]) => (rolled < share ? label : []))])
  }
}
