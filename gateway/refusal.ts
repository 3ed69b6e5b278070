import { GraphQLError } from 'graphql'

/** A refusal that the client may read. */
export const refusal = (code: string, message: string, more: Record<string, unknown> = {}): GraphQLError =>
  new GraphQLError(message, { extensions: { code, ...more } })
