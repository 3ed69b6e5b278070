import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

export type Answer<T = Record<string, unknown>> = {
  data?: T | null
  errors?: { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[]
  extensions?: Record<string, unknown>
}

/** One GraphQL request over HTTP, answered within 60 s. */
export async function ask<T = Record<string, unknown>>(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
  token?: string,
): Promise<Answer<T>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(60_000),
  })
  return (await response.json()) as Answer<T>
}

export type Watch<T> = AsyncDisposable & {
  received: Answer<T>[]
  /** Resolves with the first result, of those received or still to come, that fits. */
  until(fits: (result: Answer<T>) => boolean, timeoutMs: number): Promise<Answer<T>>
  /** Resolves when the server completes the subscription. */
  done: Promise<void>
}

/** A subscription over graphql-transport-ws on a socket of its own, without reconnecting. */
export function watch<T = Record<string, unknown>>(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
  token?: string,
): Watch<T> {
  const client = createClient({
    url,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    ...(token === undefined ? {} : { connectionParams: { authorization: `Bearer ${token}` } }),
  })
  const received: Answer<T>[] = []
  const waiting = new Set<(result: Answer<T>) => void>()
  const { promise: done, resolve: complete, reject: fail } = Promise.withResolvers<void>()
  const take = (result: Answer<T>) => {
    received.push(result)
    for (const waiter of waiting) waiter(result)
  }
  client.subscribe<T, Record<string, unknown>>(
    { query, variables },
    {
      next: (result) => take(result as Answer<T>),
      error(failure) {
        // What the server refuses is its last result.
        if (!Array.isArray(failure)) return fail(failure)
        take({ errors: failure })
        complete()
      },
      complete,
    },
  )
  done.catch(() => undefined)
  return {
    received,
    done,
    async until(fits, timeoutMs) {
      const seen = received.find(fits)
      if (seen) return seen
      const { promise, resolve, reject } = Promise.withResolvers<Answer<T>>()
      const waiter = (result: Answer<T>) => fits(result) && resolve(result)
      waiting.add(waiter)
      const timer = setTimeout(
        () =>
          reject(new Error(`nothing that fits within ${timeoutMs} ms; ${received.length} results received`)),
        timeoutMs,
      )
      try {
        return await Promise.race([promise, done.then(() => promise)])
      } finally {
        clearTimeout(timer)
        waiting.delete(waiter)
      }
    },
    async [Symbol.asyncDispose]() {
      await client.dispose()
    },
  }
}
