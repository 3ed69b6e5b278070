import type { Log } from '@community/infra/log.ts'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { SubgraphUnavailable } from '../execute/fetch.ts'
import { refusal } from '../refusal.ts'
import type { Upstreams } from '../subscribe/upstream.ts'
import type { Subgraphs } from '../traffic/subgraphs.ts'

/**
 * Subgraphs whose faults go to the log and not to clients, who learn which subgraph failed, and where. An error that
 * has a code of its own is one that the subgraph means for clients.
 */
export function maskFaults(subgraphs: Subgraphs, log: Log): Subgraphs {
  return {
    ...subgraphs,
    async ask(subgraph, ...rest) {
      try {
        const answer = await subgraphs.ask(subgraph, ...rest)
        if (answer.errors.length === 0) return answer
        return { ...answer, errors: answer.errors.map((error) => masked(subgraph, error, log)) }
      } catch (error) {
        if (!(error instanceof SubgraphUnavailable)) throw error
        log.warn({ err: error, subgraph }, 'a subgraph is unavailable')
        throw new SubgraphUnavailable(subgraph, error.reason, 'ask its operator', { cause: error })
      }
    },
  }
}

/** The same for what subgraphs answer to subscriptions of their own. */
export function maskUpstreamFaults(upstreams: Upstreams, log: Log): Upstreams {
  return {
    ...upstreams,
    subscribe(request, on) {
      const { subgraph } = request
      return upstreams.subscribe(request, {
        result: ({ data, errors }) =>
          on.result({ data, errors: errors.map((error) => masked(subgraph, error, log)) }),
        gap: () => on.gap(),
        end(error) {
          if (!(error instanceof GraphQLError) || error.extensions.code !== 'SUBGRAPH_UNAVAILABLE')
            return on.end(error)
          log.warn({ err: error, subgraph }, 'a subgraph is unavailable')
          const message = `the subgraph ${subgraph} is unavailable: ask its operator`
          on.end(refusal('SUBGRAPH_UNAVAILABLE', message, { ...error.extensions }))
        },
      })
    },
  }
}

const internal = /^(INTERNAL|UNKNOWN|DOWNSTREAM|DATABASE)|INTERNAL|EXCEPTION/
const internals = new Set(['stacktrace', 'stack', 'exception', 'originalError', 'cause', 'debug', 'trace'])

function masked(subgraph: string, error: GraphQLFormattedError, log: Log): GraphQLFormattedError {
  const { message, path, extensions = {} } = error
  const code = typeof extensions.code === 'string' ? extensions.code : null
  if (code === null || internal.test(code)) {
    log.warn({ subgraph, path, code, message }, 'a subgraph failed')
    return {
      message: `the subgraph ${subgraph} failed`,
      ...(path && { path }),
      extensions: { code: code ?? 'INTERNAL' },
    }
  }
  const shown = Object.entries(extensions).filter(([name]) => !internals.has(name))
  return { message, ...(path && { path }), extensions: Object.fromEntries(shown) }
}
