import { unwrapResolverError } from '@apollo/server/errors'
import type { Log } from '@community/infra/log.ts'
import { RequestOver } from '@community/infra/postgres.ts'
import type { GraphQLFormattedError } from 'graphql'

export type ClientErrorCode =
  | 'BAD_USER_INPUT'
  | 'NOT_FOUND'
  | 'FORBIDDEN'
  | 'CONFLICT'
  | 'UNAUTHENTICATED'
  | 'UNAVAILABLE'

/** What a client may read. Everything else that is thrown is answered as INTERNAL. */
export class ClientError extends Error {
  readonly code: ClientErrorCode
  /** Path of the argument at fault, as `input.stars`. */
  readonly argument?: string
  readonly expected?: string
  constructor(
    code: ClientErrorCode,
    message: string,
    details: { argument?: string; expected?: string } = {},
  ) {
    super(message)
    this.name = 'ClientError'
    this.code = code
    if (details.argument !== undefined) this.argument = details.argument
    if (details.expected !== undefined) this.expected = details.expected
  }
}

export const badInput = (message: string, argument: string, expected?: string) =>
  new ClientError('BAD_USER_INPUT', message, { argument, ...(expected === undefined ? {} : { expected }) })

export const notFound = (what: string, id: string) =>
  new ClientError('NOT_FOUND', `there is no ${what} ${id} that you may see`)

export const forbidden = (message: string) => new ClientError('FORBIDDEN', message)

export const conflict = (message: string) => new ClientError('CONFLICT', message)

// What graphql-js and Apollo Server themselves say of a client's document and variables.
const protocolCodes = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'BAD_REQUEST',
  'BAD_USER_INPUT',
])

// Postgres on U+0000 in text and in JSON, which only a client can have brought.
const unstorable = new Set<unknown>(['22021', '22P05'])

/** Apollo's `formatError`: the code, the argument and what was expected; other errors are logged and masked. */
export const formatError = (log: Log) => (formatted: GraphQLFormattedError, error: unknown) => {
  const cause = unwrapResolverError(error)
  const place = {
    ...(formatted.locations && { locations: formatted.locations }),
    ...(formatted.path && { path: formatted.path }),
  }
  if (cause instanceof ClientError) {
    const { code, argument, expected } = cause
    const extensions = {
      code,
      ...(argument === undefined ? {} : { argument }),
      ...(expected === undefined ? {} : { expected }),
    }
    return { message: cause.message, ...place, extensions }
  }
  if (cause instanceof Error && 'code' in cause && unstorable.has(cause.code))
    return { message: 'text may not hold NUL characters', ...place, extensions: { code: 'BAD_USER_INPUT' } }
  const code = formatted.extensions?.code
  if (cause === error && typeof code === 'string' && protocolCodes.has(code))
    return { message: formatted.message, ...place, extensions: { code } }
  if (cause instanceof RequestOver)
    log.debug({ path: formatted.path?.join('.') }, 'nobody waits for this any more')
  else log.error({ err: cause, path: formatted.path?.join('.') }, 'a resolver failed')
  return { message: 'internal error', ...place, extensions: { code: 'INTERNAL' } }
}
