import { z } from 'zod'

/** Others would be Postgres's to refuse. */
export const isUuid = (value: string): boolean => z.guid().safeParse(value).success
