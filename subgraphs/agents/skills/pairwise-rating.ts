import { z } from 'zod'
import { skill } from './skill.ts'
import { mean, rounded } from './statistics.ts'

const nameSchema = z.string().min(1).max(80)
const matchSchema = z.strictObject({
  winner: nameSchema.describe('Who did better'),
  loser: nameSchema.describe('Who did worse'),
  draw: z.boolean().optional().describe('True where neither did better'),
})
type Match = z.output<typeof matchSchema>

/** Strengths from comparisons of two at a time: Elo in their order, or Bradley and Terry's model of all at once. */
export const pairwiseRating = skill({
  name: 'pairwise-rating',
  configuration: z.strictObject({
    method: z.enum(['elo', 'bradley-terry']),
    base: z.number().min(0).max(3000),
    /** How far one match moves an Elo rating; unused by bradley-terry. */
    k: z.number().min(1).max(100),
  }),
  input: z.strictObject({
    matches: z
      .array(matchSchema.refine(({ winner, loser }) => winner !== loser, 'nobody plays against itself'))
      .min(1)
      .max(300)
      .describe('In the order in which they were played'),
  }),
  output: z.strictObject({
    ratings: z
      .array(
        z.strictObject({
          name: z.string().describe('Who played'),
          rating: z.int().describe('400 points more: ten to one to win'),
          played: z.int().describe('Matches'),
        }),
      )
      .describe('Strongest first'),
  }),
  run({ matches }, { method, base, k }) {
    const names = [...new Set(matches.flatMap(({ winner, loser }) => [winner, loser]))]
    const ratings = method === 'elo' ? elo(matches, names, base, k) : bradleyTerry(matches, names, base)
    return {
      ratings: names
        .map((name) => ({
          name,
          rating: rounded(ratings.get(name)!, 0),
          played: matches.filter(({ winner, loser }) => winner === name || loser === name).length,
        }))
        .toSorted((a, b) => b.rating - a.rating || (a.name < b.name ? -1 : 1)),
    }
  },
})

function elo(matches: Match[], names: string[], base: number, k: number): Map<string, number> {
  const ratings = new Map(names.map((name) => [name, base]))
  for (const { winner, loser, draw } of matches) {
    const [a, b] = [ratings.get(winner)!, ratings.get(loser)!]
    const expected = 1 / (1 + 10 ** ((b - a) / 400))
    const change = k * ((draw ? 0.5 : 1) - expected)
    ratings.set(winner, a + change)
    ratings.set(loser, b - change)
  }
  return ratings
}

/** Hunter's MM iteration. A virtual draw of each with an average player keeps the unbeaten finite. */
function bradleyTerry(matches: Match[], names: string[], base: number): Map<string, number> {
  const wins = new Map(names.map((name) => [name, 0.5]))
  for (const { winner, loser, draw } of matches) {
    wins.set(winner, wins.get(winner)! + (draw ? 0.5 : 1))
    if (draw) wins.set(loser, wins.get(loser)! + 0.5)
  }
  let strength = new Map(names.map((name) => [name, 1]))
  for (let round = 0; round < 200; round++) {
    const weight = new Map([...strength].map(([name, own]) => [name, 1 / (own + 1)]))
    for (const { winner, loser } of matches) {
      const meeting = 1 / (strength.get(winner)! + strength.get(loser)!)
      for (const name of [winner, loser]) weight.set(name, weight.get(name)! + meeting)
    }
    strength = new Map(names.map((name) => [name, wins.get(name)! / weight.get(name)!]))
  }
  const logs = new Map([...strength].map(([name, own]) => [name, 400 * Math.log10(own)]))
  const centre = mean([...logs.values()])
  return new Map([...logs].map(([name, value]) => [name, base + value - centre]))
}
