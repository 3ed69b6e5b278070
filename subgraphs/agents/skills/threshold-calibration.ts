import { z } from 'zod'
import { skill } from './skill.ts'
import { ranks, rounded, sum } from './statistics.ts'

const sampleSchema = z.strictObject({
  score: z.number().min(-1e9).max(1e9).describe('What the detector said; higher is more suspicious'),
  malicious: z.boolean().describe('What it really was'),
})
type Sample = z.output<typeof sampleSchema>

/** Learns from labelled scores at which a detector should speak up: F-beta or a bound on false alarms, and its ROC area. */
export const thresholdCalibration = skill({
  name: 'threshold-calibration',
  configuration: z.strictObject({
    /** f-beta: best balance, where a miss is beta times as bad. bounded: most caught at few enough false alarms. */
    objective: z.enum(['f-beta', 'bounded']),
    beta: z.number().positive().max(10),
    maxFalseAlarmRate: z.number().min(0).max(1),
  }),
  input: z.strictObject({
    samples: z.array(sampleSchema).min(4).max(2000).describe('Some of both kinds'),
    current: z.number().min(-1e9).max(1e9).optional().describe('The threshold in use, to compare with'),
  }),
  output: z.strictObject({
    threshold: z.number().nullable().describe('Speak up from here; null where no threshold keeps the bound'),
    precision: z.number().describe('Share of alarms that are right'),
    recall: z.number().describe('Share of the malicious that are caught'),
    recallLow: z.number().describe('Wilson’s lower bound of it at 95 %: few samples tell little'),
    falseAlarmRate: z.number().describe('Share of the benign that raise an alarm'),
    area: z.number().describe('Under the ROC curve: 0.5 is chance, 1 tells all apart'),
    current: z
      .strictObject({
        precision: z.number().describe('As above'),
        recall: z.number().describe('As above'),
        falseAlarmRate: z.number().describe('As above'),
      })
      .nullable()
      .describe('Of the threshold in use'),
  }),
  run({ samples, current }, { objective, beta, maxFalseAlarmRate }) {
    const malicious = samples.filter((sample) => sample.malicious).length
    if (malicious === 0 || malicious === samples.length) throw new Error('samples: need both kinds')
    const candidates = curve(samples).filter(
      ({ falseAlarmRate }) => objective === 'f-beta' || falseAlarmRate <= maxFalseAlarmRate,
    )
    const worth = (point: Point) => (objective === 'f-beta' ? fBeta(point, beta) : point.recall)
    // Of equals the highest: it raises the fewest alarms.
    const best = candidates.reduce<Point | null>(
      (most, one) => (!most || worth(one) > worth(most) ? one : most),
      null,
    )
    return {
      threshold: best?.threshold ?? null,
      ...shown(best ?? { precision: 0, recall: 0, falseAlarmRate: 0 }),
      recallLow: rounded(best ? wilsonLow(best.recall, malicious) : 0),
      area: rounded(areaUnder(samples, malicious)),
      current: current === undefined ? null : shown(pointAt(samples, current)),
    }
  },
})

type Point = { threshold: number; precision: number; recall: number; falseAlarmRate: number }

/** A point for each distinct score, from the highest down. */
function curve(samples: readonly Sample[]): Point[] {
  const sorted = samples.toSorted((a, b) => b.score - a.score)
  const malicious = samples.filter((sample) => sample.malicious).length
  const points: Point[] = []
  let caught = 0
  for (const [index, { score, malicious: bad }] of sorted.entries()) {
    if (bad) caught++
    if (sorted[index + 1]?.score === score) continue
    points.push(pointOf(score, caught, index + 1 - caught, malicious, samples.length - malicious))
  }
  return points
}

function pointAt(samples: readonly Sample[], threshold: number): Point {
  const raised = samples.filter(({ score }) => score >= threshold)
  const caught = raised.filter((sample) => sample.malicious).length
  const malicious = samples.filter((sample) => sample.malicious).length
  return pointOf(threshold, caught, raised.length - caught, malicious, samples.length - malicious)
}

const pointOf = (
  threshold: number,
  caught: number,
  wrong: number,
  malicious: number,
  benign: number,
): Point => ({
  threshold,
  precision: caught + wrong === 0 ? 0 : caught / (caught + wrong),
  recall: caught / malicious,
  falseAlarmRate: wrong / benign,
})

const shown = ({ precision, recall, falseAlarmRate }: Omit<Point, 'threshold'>) => ({
  precision: rounded(precision),
  recall: rounded(recall),
  falseAlarmRate: rounded(falseAlarmRate),
})

/** Van Rijsbergen's. */
function fBeta({ precision, recall }: Point, beta: number): number {
  const below = beta ** 2 * precision + recall
  return below === 0 ? 0 : ((1 + beta ** 2) * precision * recall) / below
}

/** Mann and Whitney's U over all pairs; ties count half. */
function areaUnder(samples: readonly Sample[], malicious: number): number {
  const places = ranks(samples.map(({ score }) => score))
  const ranked = sum(places.filter((_, index) => samples[index]!.malicious))
  return (ranked - (malicious * (malicious + 1)) / 2) / (malicious * (samples.length - malicious))
}

function wilsonLow(share: number, count: number): number {
  const z = 1.959964
  const spread = z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2))
  return Math.max(0, (share + z ** 2 / (2 * count) - spread) / (1 + z ** 2 / count))
}
