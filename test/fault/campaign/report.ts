import { table } from '../../bench/table.ts'
import type { Trial } from './trial.ts'
import { wilson } from './wilson.ts'

const outcomes = ['RESOLVED', 'ESCALATED', 'MISSED', 'DAMAGED', 'NO_FAULT'] as const
/** In which a person has to be called for what nothing is prepared for. */
const atOnceMs = 5_000

/** A row for each kind, and one for all that something is prepared for. */
export function report(trials: readonly Trial[]): string {
  const kinds = [...Map.groupBy(trials, ({ kind }) => kind)]
  const of = (unknown: boolean) => kinds.filter(([, [first]]) => first?.unknown === unknown)
  const known = trials.filter(({ unknown }) => !unknown)
  const header = [
    'kind',
    'seeds',
    'detected',
    'in p50',
    'max s',
    'restored',
    'max s',
    ...outcomes,
    'right',
    '95 %',
  ]
  return table(header, [
    ...of(false).map(([kind, all]) => row(kind, all)),
    row('all known kinds', known),
    ...of(true).map(([kind, all]) => row(`unknown: ${kind}`, all)),
    row(
      'all unknown kinds',
      trials.filter(({ unknown }) => unknown),
    ),
  ])
}

function row(name: string, trials: readonly Trial[]): string[] {
  const detected = trials.flatMap(({ verdict }) => verdict.detected ?? [])
  const restored = trials.flatMap(({ verdict }) => verdict.restored ?? [])
  const { share, low, high } = wilson(trials.filter(isRight).length, trials.length)
  return [
    name,
    `${trials.length}`,
    `${detected.length}`,
    seconds(middle(detected)),
    seconds(Math.max(...detected)),
    seconds(middle(restored)),
    seconds(Math.max(...restored)),
    ...outcomes.map((outcome) => `${trials.filter(({ verdict }) => verdict.outcome === outcome).length}`),
    percent(share),
    `${percent(low)}–${percent(high)}`,
  ]
}

/** Resolved; of a kind that nothing is prepared for also: a person called at once, and told what was seen. */
const isRight = ({ unknown, verdict }: Trial): boolean => {
  if (verdict.outcome === 'RESOLVED') return true
  const { outcome, escalatedAfter, hasContext } = verdict
  return unknown && outcome === 'ESCALATED' && hasContext && (escalatedAfter ?? Infinity) < atOnceMs
}

const middle = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const seconds = (ms: number) => (Number.isFinite(ms) ? (ms / 1_000).toFixed(1) : '–')
const percent = (share: number) => (Number.isNaN(share) ? '–' : `${Math.round(100 * share)} %`)
