import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const nameSchema = z.string().min(1).max(160)
const reviewSchema = z.strictObject({
  reviewer: nameSchema.describe('Organization that rated'),
  publisher: nameSchema.describe('Organization whose listing it is'),
  listing: nameSchema.describe('What was rated'),
  stars: z.int().min(1).max(5).describe('1 to 5'),
  at: z.iso.datetime().describe('When'),
})
type Review = z.output<typeof reviewSchema>
const findingSchema = z.strictObject({
  kind: z.enum(['BURST', 'RING', 'LOCKSTEP']).describe('What was found'),
  members: z.array(z.string()).describe('Reviewers concerned'),
  listings: z.array(z.string()).describe('What they rated'),
  reviews: z.array(z.int()).describe('Indexes of the reviews'),
  detail: z.string().describe('In figures'),
})
type Finding = z.output<typeof findingSchema>

const configurationSchema = z.strictObject({
  burstHours: z.number().positive().max(720),
  /** How unlikely the reviews of a burst must be to come so close together by chance, over all windows looked at. */
  burstSignificance: z.number().positive().max(0.2),
  /** Stars from here on do each other a favour. */
  favourFrom: z.int().min(1).max(5),
  /** Two reviewers who gave the same stars to as many listings within `lockstepHours` act as one. */
  lockstepListings: z.int().min(2).max(20),
  lockstepHours: z.number().positive().max(720),
})
type Limits = z.output<typeof configurationSchema>

/** Ratings that were arranged: bursts (a Poisson scan), rings of mutual favours (Tarjan's components), lockstep. */
export const reviewAnomaly = skill({
  name: 'review-anomaly',
  configuration: configurationSchema,
  input: z.strictObject({
    reviews: z.array(reviewSchema).min(1).max(400).describe('Ratings of the time looked at, in any order'),
  }),
  output: z.strictObject({
    findings: z.array(findingSchema).describe('Bursts, then rings, then lockstep; at most 30'),
    suspiciousPercent: z.number().describe('Share of the reviews that a finding names'),
  }),
  run({ reviews }, limits) {
    const numbered = reviews.map((review, index) => ({ ...review, index, ms: Date.parse(review.at) }))
    const findings = [...bursts(numbered, limits), ...rings(numbered, limits), ...lockstep(numbered, limits)]
    const named = new Set(findings.flatMap((finding) => finding.reviews))
    return {
      findings: findings.slice(0, 30),
      suspiciousPercent: rounded((100 * named.size) / reviews.length, 1),
    }
  },
})

type Numbered = Review & { index: number; ms: number }
const hourMs = 3_600_000

const findingOf = (kind: Finding['kind'], reviews: readonly Numbered[], detail: string): Finding => ({
  kind,
  members: [...new Set(reviews.map(({ reviewer }) => reviewer))].toSorted(),
  listings: [...new Set(reviews.map(({ listing }) => listing))].toSorted(),
  reviews: reviews.map(({ index }) => index).toSorted((a, b) => a - b),
  detail,
})

/** The fullest window of each listing, where chance would hardly fill it so. */
function bursts(reviews: readonly Numbered[], { burstHours, burstSignificance }: Limits): Finding[] {
  const times = reviews.map(({ ms }) => ms)
  const spanHours = (Math.max(...times) - Math.min(...times)) / hourMs
  return [...Map.groupBy(reviews, ({ listing }) => listing).values()].flatMap((own) => {
    const sorted = own.toSorted((a, b) => a.ms - b.ms)
    const windows = sorted.map((from, start) =>
      sorted.slice(start).filter(({ ms }) => ms - from.ms <= burstHours * hourMs),
    )
    const fullest = windows.reduce((most, window) => (window.length > most.length ? window : most))
    const expected = own.length * Math.min(1, burstHours / Math.max(spanHours, burstHours))
    // Bonferroni: one window per review was looked at.
    const chance = Math.min(1, own.length * poissonTail(fullest.length, expected))
    if (fullest.length < 3 || chance >= burstSignificance) return []
    const detail = `${fullest.length} within ${burstHours} h, ${rounded(expected, 1)} expected`
    return [findingOf('BURST', fullest, detail)]
  })
}

/** The chance of `count` or more where `expected` come on average. */
function poissonTail(count: number, expected: number): number {
  let term = Math.exp(-expected)
  let below = 0
  for (let k = 0; k < count; k++) {
    below += term
    term *= expected / (k + 1)
  }
  return Math.max(0, 1 - below)
}

/** Organizations of which each is led back to itself by favours: components of more than one. */
function rings(reviews: readonly Numbered[], { favourFrom }: Limits): Finding[] {
  const favours = reviews.filter(
    ({ stars, reviewer, publisher }) => stars >= favourFrom && reviewer !== publisher,
  )
  const component = components(favours.map(({ reviewer, publisher }) => [reviewer, publisher]))
  const inside = favours.filter(
    ({ reviewer, publisher }) => component.get(reviewer) === component.get(publisher),
  )
  return [...Map.groupBy(inside, ({ reviewer }) => component.get(reviewer)).values()].map((ring) =>
    findingOf('RING', ring, `${ring.length} ratings of ${favourFrom} stars or more among themselves`),
  )
}

/** R. Tarjan, 1972, with its own stack: a chain of hundreds would overflow the engine's. */
function components(edges: readonly [string, string][]): Map<string, number> {
  const next = new Map<string, string[]>()
  for (const [from, to] of edges) {
    next.set(from, [...(next.get(from) ?? []), to])
    if (!next.has(to)) next.set(to, [])
  }
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const component = new Map<string, number>()
  const stack: string[] = []
  for (const root of next.keys()) {
    if (index.has(root)) continue
    const path: { node: string; child: number }[] = [{ node: root, child: 0 }]
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const { node } = top
      if (top.child === 0 && !index.has(node)) {
        index.set(node, index.size)
        low.set(node, index.get(node)!)
        stack.push(node)
      }
      const child = next.get(node)![top.child++]
      if (child !== undefined) {
        if (!index.has(child)) path.push({ node: child, child: 0 })
        else if (!component.has(child)) low.set(node, Math.min(low.get(node)!, index.get(child)!))
        continue
      }
      if (low.get(node) === index.get(node))
        for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
          component.set(member, index.get(node)!)
          if (member === node) break
        }
      path.pop()
      const parent = path.at(-1)
      if (parent) low.set(parent.node, Math.min(low.get(parent.node)!, low.get(node)!))
    }
  }
  return component
}

function lockstep(reviews: readonly Numbered[], { lockstepListings, lockstepHours }: Limits): Finding[] {
  const byReviewer = [...Map.groupBy(reviews, ({ reviewer }) => reviewer).values()]
  return byReviewer.flatMap((own, position) =>
    byReviewer.slice(position + 1).flatMap((theirs) => {
      const together = own.flatMap((one) => {
        const other = theirs.find(
          ({ listing, stars, ms }) =>
            listing === one.listing && stars === one.stars && Math.abs(ms - one.ms) <= lockstepHours * hourMs,
        )
        return other ? [one, other] : []
      })
      const listings = new Set(together.map(({ listing }) => listing)).size
      if (listings < lockstepListings) return []
      return [findingOf('LOCKSTEP', together, `${listings} listings alike within ${lockstepHours} h`)]
    }),
  )
}
