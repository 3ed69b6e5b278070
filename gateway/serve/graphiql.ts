import { promisify } from 'node:util'
import { gzip as gzipCallback } from 'node:zlib'
import { type Route, send } from './http.ts'

const gzip = promisify(gzipCallback)

/** The page, all of it in one answer: nothing is loaded from another origin. Rendered at the first visit. */
export function graphiqlRoute(): Route {
  let page: Promise<{ plain: string; zipped: Buffer }> | null = null
  return async (request, response) => {
    page ??= render()
    const { plain, zipped } = await page
    response.setHeader('vary', 'accept-encoding')
    response.setHeader('x-frame-options', 'DENY')
    const takesGzip = /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '')
    if (takesGzip) response.setHeader('content-encoding', 'gzip')
    send(response, 200, 'text/html; charset=utf-8', takesGzip ? zipped : plain)
  }
}

async function render() {
  // 9 MB of source that only this page needs.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql')
  const options = JSON.stringify({ title: 'GraphiQL', endpoint: '/graphql' })
  const html = renderGraphiQL(JSON.parse(options))
  const plain = html.replace(options, () => `{ ...${options}, fetcher: ${fetcher.toString()} }`)
  if (plain === html) throw new Error('GraphiQL renders its options in another way than it did')
  return { plain, zipped: await gzip(plain) }
}

type Params = { query: string; operationName?: string | null; variables?: unknown }
type Definition = { kind: string; operation?: string; name?: { value: string } }
type Observer = { next(result: unknown): void; error(error: unknown): void; complete(): void }

/**
 * Runs in the page, from its source text: it can refer to nothing outside. The page's own fetcher leaves the headers
 * of its editor out of subscriptions.
 */
function fetcher(
  params: Params,
  { headers, documentAST }: { headers?: Record<string, string>; documentAST?: { definitions: Definition[] } },
) {
  const definition = documentAST?.definitions.find(
    (each) =>
      each.kind === 'OperationDefinition' &&
      (!params.operationName || each.name?.value === params.operationName),
  )
  if (definition?.operation !== 'subscription')
    return fetch('/graphql', {
      method: 'POST',
      headers: {
        ...headers,
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
      },
      body: JSON.stringify(params),
    }).then((response) => response.json())
  return {
    subscribe(observer: Observer) {
      const socket = new WebSocket('/graphql', 'graphql-transport-ws')
      const tell = (message: unknown) => socket.send(JSON.stringify(message))
      socket.addEventListener('open', () => tell({ type: 'connection_init', payload: headers ?? {} }))
      socket.addEventListener('message', ({ data }) => {
        const { type, payload } = JSON.parse(String(data)) as { type: string; payload?: unknown }
        if (type === 'connection_ack') tell({ id: '1', type: 'subscribe', payload: params })
        if (type === 'ping') tell({ type: 'pong' })
        if (type === 'next') observer.next(payload)
        if (type === 'error') observer.next({ errors: payload })
        if (type === 'error' || type === 'complete') socket.close(1000)
      })
      socket.addEventListener('close', ({ code, reason }) => {
        if (code !== 1000) observer.error({ message: `the socket was closed: ${code} ${reason}` })
        observer.complete()
      })
      return { unsubscribe: () => socket.close(1000) }
    },
  }
}
