import { z } from 'zod'
import { skill } from './skill.ts'

const keySchema = z.strictObject({
  id: z.string().min(1).max(80).describe('Its kid'),
  purpose: z.string().min(1).max(60).describe('What it signs: keys of one purpose follow one another'),
  createdAt: z.iso.datetime().describe('When it was made'),
  compromised: z.boolean().optional().describe('Somebody else may have it'),
})
type Key = z.output<typeof keySchema>
const configurationSchema = z.strictObject({
  /** How long a key may sign: the originator usage period. */
  signingDays: z.int().min(1).max(3650),
  /** How long verifiers may hold an old key set. */
  cacheHours: z.number().min(0).max(720),
  /** How long what it signed stays valid. */
  validityHours: z.number().min(0).max(87_600),
  /** No more purposes than this change keys within a day, unless a key is compromised. */
  maxPerDay: z.int().min(1).max(100),
})
type Configuration = z.output<typeof configurationSchema>
const actionSchema = z.enum(['REVOKE', 'PUBLISH', 'SIGN_WITH', 'REMOVE'])
const dayMs = 86_400_000
const hourMs = 3_600_000

/** When each signing key is followed by another: published before it signs, kept until what it signed has expired (NIST SP 800-57). */
export const keyRotation = skill({
  name: 'key-rotation',
  configuration: configurationSchema,
  input: z.strictObject({
    keys: z
      .array(keySchema)
      .min(1)
      .max(200)
      .describe('Those that sign, and older ones that are still published'),
    horizonDays: z.int().min(1).max(730).describe('How far to plan'),
  }),
  output: z.strictObject({
    steps: z
      .array(
        z.strictObject({
          at: z.string().describe('When to do it'),
          action: actionSchema.describe('REMOVE takes it out of the published set'),
          purpose: z.string().describe('Whose keys'),
          key: z.string().describe('The kid; a new one is named after the purpose and its day'),
          why: z.string().describe('In words'),
        }),
      )
      .describe('In order of time'),
    overdue: z.array(z.string()).describe('Purposes whose key signs longer than it may'),
  }),
  run({ keys, horizonDays }, configuration, context) {
    const now = context.now().getTime()
    const until = now + horizonDays * dayMs
    const purposes = [...Map.groupBy(keys, ({ purpose }) => purpose)]
      .map(([purpose, all]) => ({ purpose, all: newestFirst(all) }))
      .map((one) => ({ ...one, due: dueAt(one.all[0]!, now, configuration) }))
      .toSorted((a, b) => a.due - b.due || (a.purpose < b.purpose ? -1 : 1))
    const busy = new Map<number, number>()
    const steps = purposes.flatMap(({ purpose, all, due }) =>
      stepsFor(purpose, all, due, { now, until, busy, ...configuration }),
    )
    return {
      steps: steps
        .filter(({ time }) => time <= until)
        .toSorted((a, b) => a.time - b.time || (a.purpose < b.purpose ? -1 : 1))
        .map(({ time, ...step }) => ({ at: new Date(time).toISOString(), ...step })),
      overdue: purposes
        .filter(({ all }) => Date.parse(all[0]!.createdAt) + configuration.signingDays * dayMs < now)
        .map(({ purpose }) => purpose)
        .toSorted(),
    }
  },
})

type Step = { time: number; action: z.output<typeof actionSchema>; purpose: string; key: string; why: string }

const newestFirst = (keys: readonly Key[]) =>
  keys.toSorted((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? -1 : 1))

const dueAt = ({ createdAt, compromised }: Key, now: number, { signingDays }: Configuration) =>
  compromised ? now : Math.max(now, Date.parse(createdAt) + signingDays * dayMs)

function stepsFor(
  purpose: string,
  all: readonly Key[],
  due: number,
  plan: Configuration & { now: number; until: number; busy: Map<number, number> },
): Step[] {
  const { now, until, busy, signingDays, cacheHours, validityHours, maxPerDay } = plan
  const steps: Step[] = []
  const add = (time: number, action: Step['action'], key: string, why: string) =>
    steps.push({ time, action, purpose, key, why })
  for (const old of all.slice(1)) {
    if (old.compromised) add(now, 'REVOKE', old.id, 'It is compromised.')
    else add(now + validityHours * hourMs, 'REMOVE', old.id, 'What it signed last has expired by then.')
  }
  let signing = all[0]!.id
  let urgent = all[0]!.compromised === true
  if (urgent) add(now, 'REVOKE', signing, 'It is compromised.')
  for (let at = due; at <= until; at += signingDays * dayMs) {
    const earliest = now + cacheHours * hourMs
    if (!urgent) at = freeDay(Math.max(at, earliest), earliest, busy, maxPerDay)
    const next = `${purpose}-${new Date(at).toISOString().slice(0, 10)}`
    const published = urgent ? at : at - cacheHours * hourMs
    add(
      published,
      'PUBLISH',
      next,
      urgent ? 'It takes the place of a lost one.' : 'Every verifier knows it before it signs.',
    )
    add(
      at,
      'SIGN_WITH',
      next,
      urgent
        ? 'Nothing may be signed with the lost one.'
        : `${signing} has signed for ${signingDays} days or is due.`,
    )
    if (!urgent)
      add(at + validityHours * hourMs, 'REMOVE', signing, 'What it signed last has expired by then.')
    signing = next
    urgent = false
  }
  return steps
}

/** The same hour of the next earlier day with room, as a key may sign for less than its time; of a later one if there is none. */
function freeDay(at: number, earliest: number, busy: Map<number, number>, maxPerDay: number): number {
  const hasRoom = (time: number) => (busy.get(Math.floor(time / dayMs)) ?? 0) < maxPerDay
  let time = at
  while (!hasRoom(time) && time - dayMs >= earliest) time -= dayMs
  while (!hasRoom(time)) time += dayMs
  const day = Math.floor(time / dayMs)
  busy.set(day, (busy.get(day) ?? 0) + 1)
  return time
}
