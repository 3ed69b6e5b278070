import type { Rating } from '../schema.generated.ts'
import type { ListingRow } from '../store.ts'

/** A score is shown from this weight on. */
export const leastWeight = 3

/** What is shown of a listing's figures. */
export function shownRating(row: ListingRow): Rating {
  const { ratingAverage, ratingWeight, ratingCount, stars, verifiedStars } = row
  const average = ratingAverage === null ? null : rounded(ratingAverage)
  const tooFew = ratingWeight < leastWeight
  return {
    average,
    score: tooFew ? null : average,
    tooFew,
    weight: rounded(ratingWeight),
    count: ratingCount,
    histogram: stars,
    verifiedCount: verifiedStars.reduce((sum, count) => sum + count, 0),
    verifiedHistogram: verifiedStars,
  }
}

const rounded = (value: number) => Math.round(value * 10_000) / 10_000
