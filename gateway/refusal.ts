import { GraphQLError } from 'graphql'

/** A refusal that the client may read. */
export const refusal = (code: string, message: string, more: Record<string, unknown> = {}): GraphQLError =>
  new GraphQLError(message, { extensions: { code, ...more } })

/** A thrown refusal as what the client gets; null where it is no refusal but a fault. */
export function refused(error: unknown): readonly GraphQLError[] | null {
  if (error instanceof GraphQLError) return [error]
  if (error instanceof AggregateError && error.errors.every((each) => each instanceof GraphQLError))
    return error.errors
  return null
}
