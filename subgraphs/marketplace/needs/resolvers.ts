import { z } from 'zod'
import { connection, pageArgs } from '../../kit/page.ts'
import type { Resolvers } from '../schema.generated.ts'
import { needPage } from './store.ts'

const place = z.tuple([z.int32(), z.int32(), z.string().regex(/^[^\0]*$/)])

export const needs = {
  Query: {
    async emergingNeeds(_, args, { db }) {
      const page = pageArgs(args, { max: 100, default: 20, place })
      const { rows, totalCount } = await needPage(db, page)
      return connection(rows, totalCount, page, ({ organizations, asked, question }) => [
        organizations,
        asked,
        question,
      ])
    },
  },
} satisfies Resolvers
