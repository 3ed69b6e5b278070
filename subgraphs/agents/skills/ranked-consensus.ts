import { z } from 'zod'
import { skill } from './skill.ts'
import { sum } from './statistics.ts'

const optionSchema = z.string().min(1).max(80)
const ballotSchema = z.strictObject({
  voters: z.int().min(1).max(100_000).describe('How many voted like this'),
  ranking: z.array(optionSchema).min(1).max(20).describe('Best first; those left out come last, together'),
})
type Ballot = z.output<typeof ballotSchema>

/** One order from many voters' orders: Borda's count, Schulze's method or the instant runoff. */
export const rankedConsensus = skill({
  name: 'ranked-consensus',
  configuration: z.strictObject({
    method: z.enum(['borda', 'schulze', 'instant-runoff']),
  }),
  input: z.strictObject({
    ballots: z
      .array(
        ballotSchema.refine(
          ({ ranking }) => new Set(ranking).size === ranking.length,
          'ranks an option twice',
        ),
      )
      .min(1)
      .max(100)
      .refine((ballots) => optionsOf(ballots).length <= 40, 'rank more than 40 options')
      .describe('Equal orders may be one ballot'),
  }),
  output: z.strictObject({
    winner: z.string().nullable().describe('Null where the first are tied'),
    standing: z
      .array(
        z.strictObject({
          option: z.string().describe('What was ranked'),
          score: z.number().describe('Points, options beaten, or the round survived'),
        }),
      )
      .describe('Best first'),
    condorcetWinner: z.string().nullable().describe('Who beats every other one to one, if there is one'),
  }),
  run({ ballots }, { method }) {
    const options = optionsOf(ballots)
    const prefers = (a: string, b: string) =>
      sum(ballots.map((ballot) => (place(ballot, a) < place(ballot, b) ? ballot.voters : 0)))
    const score = scores[method](ballots, options, prefers)
    const standing = options
      .map((option) => ({ option, score: score.get(option)! }))
      .toSorted((a, b) => b.score - a.score)
    return {
      winner: standing[1]?.score === standing[0]!.score ? null : standing[0]!.option,
      standing,
      condorcetWinner:
        options.find((a) => options.every((b) => a === b || prefers(a, b) > prefers(b, a))) ?? null,
    }
  },
})

const optionsOf = (ballots: Ballot[]) => [...new Set(ballots.flatMap((ballot) => ballot.ranking))].toSorted()

const place = ({ ranking }: Ballot, option: string) =>
  ranking.includes(option) ? ranking.indexOf(option) : Number.MAX_SAFE_INTEGER

type Prefers = (a: string, b: string) => number
const scores = {
  borda(ballots: Ballot[], options: string[]) {
    return new Map(
      options.map((option) => [
        option,
        sum(
          ballots.map((ballot) => {
            const unranked = options.length - ballot.ranking.length
            // Those left out share the points of the last places.
            const points = ballot.ranking.includes(option)
              ? options.length - 1 - place(ballot, option)
              : (unranked - 1) / 2
            return ballot.voters * points
          }),
        ),
      ]),
    )
  },

  /** How many options each beats by its strongest path (Floyd and Warshall over the weakest link). */
  schulze(_ballots: Ballot[], options: string[], prefers: Prefers) {
    const strength = options.map((a) =>
      options.map((b) => (prefers(a, b) > prefers(b, a) ? prefers(a, b) : 0)),
    )
    for (const k of options.keys())
      for (const row of strength)
        for (const j of options.keys()) row[j] = Math.max(row[j]!, Math.min(row[k]!, strength[k]![j]!))
    return new Map(
      options.map((option, i) => [
        option,
        options.filter((_, j) => strength[i]![j]! > strength[j]![i]!).length,
      ]),
    )
  },

  /** The round in which each went out; all that share the fewest first choices go together. */
  'instant-runoff'(ballots: Ballot[], options: string[]) {
    const survived = new Map<string, number>()
    let left = options
    for (let round = 1; left.length > 0; round++) {
      const firsts = new Map(left.map((option) => [option, 0]))
      for (const { voters, ranking } of ballots) {
        const first = ranking.find((option) => firsts.has(option))
        if (first !== undefined) firsts.set(first, firsts.get(first)! + voters)
      }
      const fewest = Math.min(...firsts.values())
      const out = left.filter((option) => firsts.get(option) === fewest)
      for (const option of out) survived.set(option, round)
      left = left.filter((option) => !out.includes(option))
    }
    return survived
  },
}
