import type { SubgraphResult } from '../execute/fetch.ts'
import type { Answer, Caller, Operations } from '../operation.ts'
import { refused } from '../refusal.ts'
import { createBuffer } from './buffer.ts'
import type { Upstreams } from './upstream.ts'
import { type Upstreamed, upstreamAnswer, upstreamOf } from './upstream-answer.ts'

type Rooms = {
  upstreams: Upstreams
  operations: Operations
  gauge: { inc(): void; dec(): void }
}

const bufferedResults = 1_000

/** Answers of a subscription that its subgraph serves. What follows results that were lost is a RESYNC. */
export async function* passthrough(
  { upstreams, operations, gauge }: Rooms,
  upstreamed: Upstreamed,
  caller: () => Promise<Caller>,
  closed: AbortSignal,
): AsyncGenerator<Answer, void, void> {
  const buffer = createBuffer<SubgraphResult | 'gap' | 'end'>(bufferedResults)
  const signal = AbortSignal.any([(await caller()).signal, closed])
  signal.addEventListener('abort', buffer.close, { once: true })
  gauge.inc()
  let ended: Error | null | undefined
  const leave = upstreams.subscribe(
    { ...upstreamOf(upstreamed), headers: async () => (await caller()).headers, signal },
    {
      result: buffer.push,
      gap: () => buffer.push('gap'),
      end(error) {
        ended = error
        buffer.push('end')
      },
    },
  )
  try {
    let isResync = false
    for (;;) {
      const next = await buffer.take()
      if (next === undefined) return
      if (next === 'gap' || next === 'overflow') isResync = true
      else if (next !== 'end') {
        const asker = { ...(await caller()), signal }
        const answer = await upstreamAnswer(operations, upstreamed, asker, next)
        yield isResync
          ? { ...answer, extensions: { ...answer.extensions, stream: { kind: 'RESYNC' } } }
          : answer
        isResync = false
      }
      // What was to be told of the end may have overflown with the rest.
      if (next === 'end' || (next === 'overflow' && ended !== undefined)) break
    }
  } finally {
    leave()
    gauge.dec()
  }
  if (!ended) return
  const errors = refused(ended)
  if (!errors) throw ended
  yield { errors: errors.map((each) => each.toJSON()) }
}
