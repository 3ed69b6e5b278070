import { badInput, conflict, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { type Principal, requireAdministrator } from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import { isUuid } from '../../kit/uuid.ts'
import { type Act, record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import type { Resolvers } from '../schema.generated.ts'
import { type DeliveryRow, deliveryById, handInAgain, insertPing } from './deliveries.ts'
import { everything, readOverlap, readWish } from './read.ts'
import { newSecret } from './sign.ts'
import {
  deleteWebhook,
  insertWebhook,
  rotateSecret,
  updateWebhook,
  type WebhookRow,
  webhooksOf,
} from './store.ts'

/** Of one organization. */
const mostWebhooks = 10
const usualOverlapMinutes = 24 * 60

export const resolvers: Pick<Resolvers, 'Webhook' | 'WebhookDelivery'> & {
  Query: Pick<NonNullable<Resolvers['Query']>, 'webhook' | 'webhooks'>
  Mutation: Pick<
    NonNullable<Resolvers['Mutation']>,
    'createWebhook' | 'updateWebhook' | 'deleteWebhook' | 'rotateWebhookSecret' | 'testWebhook' | 'redeliver'
  >
} = {
  Query: {
    async webhook(_, { id }, { principal, webhooks }) {
      requireAdministrator(principal)
      return isUuid(id) ? await webhooks.load(id) : null
    },
    webhooks: async (_, __, { principal, db }) => await webhooksOf(db, requireAdministrator(principal)),
  },

  Mutation: {
    async createWebhook(_, { input }, { principal, mutate, sealSecret, refusalOfTarget }) {
      const organizationId = requireAdministrator(principal)
      const wish = readWish(input, { url: input.url, kinds: input.kinds, ...everything })
      refuse(await refusalOfTarget(wish.url))
      const secret = newSecret()
      const sealed = await sealSecret(secret, organizationId)
      return await mutate(async (tx) => {
        const made = await insertWebhook(tx, { ...wish, organizationId, sealed, most: mostWebhooks })
        if (!made) throw conflict(`an organization has at most ${mostWebhooks} webhooks`)
        await record(tx, { ...acted(principal, made), action: 'webhook.create' })
        return { ...made, secret }
      })
    },

    async updateWebhook(_, { input }, context) {
      const { principal, mutate, webhooks, refusalOfTarget } = context
      const was = await own(context, input.id)
      const wish = readWish(input, was)
      if (wish.url !== was.url) refuse(await refusalOfTarget(wish.url))
      const row = await mutate(async (tx) => {
        const updated = await updateWebhook(tx, was.id, { ...wish, enabled: input.enabled ?? null })
        if (!updated) throw notFound('webhook', was.id)
        await record(tx, { ...acted(principal, updated), action: 'webhook.update' })
        return updated
      })
      webhooks.clear(row.id)
      return row
    },

    async deleteWebhook(_, { id }, context) {
      const { principal, mutate, webhooks } = context
      await own(context, id)
      const row = await mutate(async (tx) => {
        const deleted = await deleteWebhook(tx, id)
        if (!deleted) throw notFound('webhook', id)
        await record(tx, { ...acted(principal, deleted), action: 'webhook.delete' })
        return deleted
      })
      webhooks.clear(id)
      return row
    },

    async rotateWebhookSecret(_, { input }, context) {
      const { principal, mutate, webhooks, sealSecret } = context
      const { id, organizationId } = await own(context, input.id)
      const overlapMs = readOverlap(input.overlapMinutes ?? usualOverlapMinutes)
      const secret = newSecret()
      const sealed = await sealSecret(secret, organizationId)
      const row = await mutate(async (tx) => {
        const rotated = await rotateSecret(tx, id, { sealed, overlapMs })
        if (!rotated) throw notFound('webhook', id)
        await record(tx, { ...acted(principal, rotated), action: 'webhook.rotate-secret' })
        return rotated
      })
      webhooks.clear(id)
      return { ...row, secret }
    },

    async testWebhook(_, { id }, context) {
      const { principal, mutate } = context
      const webhook = await own(context, id)
      requireEnabled(webhook)
      return await mutate(async (tx) => {
        const delivery = await internally(tx, () => insertPing(tx, webhook))
        await record(tx, { ...acted(principal, webhook), action: 'webhook.test' })
        return delivery
      })
    },

    async redeliver(_, { deliveryId }, context) {
      const { principal, db, mutate } = context
      requireAdministrator(principal)
      const delivery = isUuid(deliveryId) ? await deliveryById(db, deliveryId) : null
      if (!delivery) throw notFound('delivery', deliveryId)
      const webhook = await own(context, delivery.webhookId)
      requireEnabled(webhook)
      return await mutate(async (tx) => {
        const again = await internally(tx, () => handInAgain(tx, deliveryId))
        if (!again) throw conflict(`the delivery ${deliveryId} is PENDING: it is tried again anyway`)
        const act = acted(principal, webhook)
        await record(tx, { ...act, action: 'webhook.redeliver', details: { ...act.details, deliveryId } })
        return again
      })
    },
  },

  Webhook: {
    enabled: ({ disabledBecause }) => disabledBecause === null,
    secret: ({ secret }) => secret ?? null,
    async deliveries({ id }, { filter, ...args }, { webhookDeliveries }) {
      const page = pageArgs(args, { default: 20, place: places.id })
      const fitting = { state: filter?.state ?? null, kind: filter?.kind ?? null }
      const { rows, totalCount } = await webhookDeliveries.load({ id, page: { ...page, ...fitting } })
      return connection<DeliveryRow>(rows, totalCount, page, (row) => [row.id])
    },
  },

  WebhookDelivery: {
    attempts: async ({ id }, _, { webhookAttempts }) => await webhookAttempts.load(id),
  },
}

async function own({ principal, webhooks }: Context, id: string): Promise<WebhookRow> {
  requireAdministrator(principal)
  const row = isUuid(id) ? await webhooks.load(id) : null
  if (!row) throw notFound('webhook', id)
  return row
}

function refuse(refusal: string | null): void {
  if (refusal === null) return
  const expected = 'a public https URL, or one at an address that the operator allows'
  throw badInput(`the URL is refused: ${refusal}`, 'input.url', expected)
}

function requireEnabled({ id, disabledBecause }: WebhookRow): void {
  if (disabledBecause !== null) throw conflict(`the webhook ${id} is disabled: ${disabledBecause}`)
}

// Of a URL the host only: others carry their secrets in it, and nothing is ever taken out of the log.
const acted = (
  { subject: actor }: Principal,
  { id, organizationId, url }: WebhookRow,
): Omit<Act, 'action'> => ({
  organizationId,
  actor,
  subject: id,
  details: { host: new URL(url).host },
})
