import { z } from 'zod'

/** Others would be Postgres's to refuse. */
export const isUuid = (value: unknown): value is string => z.guid().safeParse(value).success
