import type { Transaction } from '@community/infra/postgres.ts'
import { text } from '../../kit/arguments.ts'
import { badInput, conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { requireOrganization, requireScope } from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import type { Context } from '../context.ts'
import { announceRated } from '../listing-change.ts'
import type { Resolvers } from '../schema.generated.ts'
import { listingsById } from '../store.ts'
import { noteAct } from './acts.ts'
import { recount } from './count.ts'
import { holdBurst } from './hold.ts'
import {
  addReport,
  decide,
  giveRating,
  hasOwned,
  heldRatings,
  lockListing,
  type RatingRow,
  ratingById,
  ratingOf,
  setReply,
  setVote,
} from './store.ts'

const maxCommentLength = 2_000
const maxReasonLength = 500

export const resolvers = {
  Query: {
    async myRating(_, args, { principal: { organization, subject }, db }) {
      const listingId = text(args.listingId, 'listingId', 200)
      return organization === null ? null : await ratingOf(db, listingId, { organization, subject })
    },
    async heldRatings(_, args, { principal, db }) {
      requireScope(principal, 'marketplace:moderate')
      const page = pageArgs(args, { default: 20, place: places.timeAndSerial })
      const { rows, totalCount } = await heldRatings(db, page)
      return connection(rows, totalCount, page, (row) => [row.heldAt, row.id])
    },
  },

  Mutation: {
    async rateListing(_, { input }, context) {
      const { principal, mutate, inTurn, pause, traceparent, listings } = context
      const organizationId = requireOrganization(principal)
      const listingId = text(input.listingId, 'input.listingId', 200)
      const { stars } = input
      if (stars < 1 || stars > 5) throw badInput(`stars is ${stars}`, 'input.stars', '1 to 5')
      const comment = input.comment ? text(input.comment, 'input.comment', maxCommentLength) : null
      const rating = { listingId, organizationId, subject: principal.subject, stars, comment }
      await pause()
      await inTurn(listingId, () =>
        mutate(async (tx) => {
          const [listing] = await listingsById(tx, [listingId])
          if (!listing) throw notFound('listing', listingId)
          if (listing.organizationId === organizationId)
            throw forbidden('nobody rates what the own organization offers')
          await internally(tx, async () => {
            const { versionLine } = await lockListing(tx, listingId)
            if (await hasOwned(tx, listingId, organizationId))
              throw forbidden('nobody rates what the own organization has owned')
            const { id, verified, state, arrived, isNew, changed } = await giveRating(tx, {
              ...rating,
              versionLine,
            })
            const by = { organization: organizationId, subject: principal.subject }
            const kind = isNew ? 'GIVEN' : 'CHANGED'
            if (changed) await noteAct(tx, { ratingId: id, kind, stars, text: comment, by })
            const held = arrived && (await holdBurst(tx, listingId, { verified, stars }))
            const recounted = await recount(tx, [listingId])
            if (recounted.length > 0 || (changed && state === 'COUNTED' && !held))
              await announceRated(tx, [listingId], traceparent)
          })
        }),
      )
      // What a mutation before it in the same request has read is no longer so.
      const row = await listings.clear(listingId).load(listingId)
      if (!row) throw conflict(`${listingId} has just been taken out of the catalogue`)
      return row
    },

    async replyToRating(_, { input }, context) {
      const { principal } = context
      requireScope(principal, 'marketplace:write')
      const organizationId = requireOrganization(principal)
      const said = input.text == null ? null : text(input.text, 'input.text', maxCommentLength)
      return await change(context, input.ratingId, async (tx, rating) => {
        const [listing] = await listingsById(tx, [rating.listingId])
        if (listing?.organizationId !== organizationId)
          throw forbidden('ratings are answered by who offers what is rated')
        await setReply(tx, rating.id, { text: said, organizationId })
        const by = { organization: organizationId, subject: principal.subject }
        await noteAct(tx, { ratingId: rating.id, kind: 'REPLIED', text: said, by })
        return { weighs: false }
      })
    },

    async voteRatingHelpful(_, { input }, context) {
      const { subject } = context.principal
      const organizationId = requireOrganization(context.principal)
      return await change(context, input.ratingId, async (tx, rating) => {
        if (rating.organizationId === organizationId)
          throw forbidden('nobody votes for ratings of the own organization')
        if (await hasOwned(tx, rating.listingId, organizationId))
          throw forbidden('nobody votes for ratings of what the own organization offers')
        await setVote(tx, { ratingId: rating.id, organizationId, subject }, input.helpful ?? true)
        return { weighs: false }
      })
    },

    async reportRating(_, { input }, context) {
      const { subject } = context.principal
      const organization = requireOrganization(context.principal)
      const reason = text(input.reason, 'input.reason', maxReasonLength)
      return await change(context, input.ratingId, async (tx, rating) => {
        if (rating.organizationId === organization)
          throw forbidden('nobody reports ratings of the own organization')
        const vote = { ratingId: rating.id, organizationId: organization, subject }
        const { isNew, isHeld } = await addReport(tx, vote)
        const by = { organization, subject }
        if (isNew) await noteAct(tx, { ratingId: rating.id, kind: 'REPORTED', text: reason, by })
        if (isHeld) await noteAct(tx, { ratingId: rating.id, kind: 'HELD', text: 'it was reported' })
        return { weighs: isHeld }
      })
    },

    async moderateRating(_, { input }, context) {
      const { subject } = context.principal
      requireScope(context.principal, 'marketplace:moderate')
      const organization = requireOrganization(context.principal)
      const { verdict } = input
      const reason = input.reason ? text(input.reason, 'input.reason', maxReasonLength) : null
      if (verdict === 'REJECT' && reason === null)
        throw badInput('a rating is rejected for a reason', 'input.reason', 'why it does not count')
      return await change(context, input.ratingId, async (tx, rating) => {
        const { id, listingId, organizationId } = rating
        if (organizationId === organization || (await hasOwned(tx, listingId, organization)))
          throw forbidden('nobody moderates ratings by the own organization, or of what it offers')
        if (verdict === 'APPROVE' && (await hasOwned(tx, listingId, organizationId)))
          throw conflict(`${organizationId} owns what it rated, or has owned it: that does not count`)
        await decide(tx, id, verdict)
        const kind = verdict === 'APPROVE' ? 'APPROVED' : 'REJECTED'
        await noteAct(tx, { ratingId: id, kind, text: reason, by: { organization, subject } })
        return { weighs: true }
      })
    },
  },

  ListingRating: {
    listing: async ({ listingId }, _, { listings }) => await listings.load(listingId),
    reply: ({ reply, repliedBy, repliedAt }) =>
      reply === null || repliedBy === null || repliedAt === null
        ? null
        : { text: reply, organizationId: repliedBy, at: repliedAt },
    async acts({ id }, args, { acts }) {
      const page = pageArgs(args, { default: 20, place: places.serial })
      const { rows, totalCount } = await acts.load({ id, page })
      return connection(rows, totalCount, page, (row) => [row.id])
    },
  },
} satisfies Resolvers

/**
 * Changes a rating that the caller may see, with its listing locked and all rows to be seen. `weighs`: the listing's figures
 * may have changed with it; where they have, it is told.
 */
async function change(
  { mutate, inTurn, pause, traceparent, db }: Context,
  ratingId: string,
  fn: (tx: Transaction, rating: RatingRow) => Promise<{ weighs: boolean }>,
): Promise<RatingRow> {
  const id = text(ratingId, 'input.ratingId', 18)
  const seen = places.serial.safeParse([id]).success ? await ratingById(db, id) : null
  if (!seen) throw notFound('rating', id)
  await pause()
  return await inTurn(seen.listingId, () =>
    mutate((tx) =>
      internally(tx, async () => {
        await lockListing(tx, seen.listingId)
        const { weighs } = await fn(tx, (await ratingById(tx, id)) ?? seen)
        if (weighs) await announceRated(tx, await recount(tx, [seen.listingId]), traceparent)
        return (await ratingById(tx, id)) ?? seen
      }),
    ),
  )
}
