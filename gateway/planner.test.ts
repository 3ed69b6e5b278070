import { createLog } from '@community/infra/log.ts'
import { parse } from 'graphql'
import { expect, test } from 'vitest'
import { type OperationPlanner, startPlanner } from './planner.ts'
import { composeSdl } from './testing/graph.ts'

const sdl = composeSdl({
  a: { typeDefs: 'type Query { p: P } type P @key(fields: "id") { id: ID! q: P r: P s: P }' },
  b: { typeDefs: 'type P @key(fields: "id") { id: ID! x: Int }' },
  c: { typeDefs: 'type P @key(fields: "id") { id: ID! y: Int }' },
})

function planner(deadlineMs: number): OperationPlanner & AsyncDisposable & { planned: number } {
  const counted = { planned: 0 }
  const started = startPlanner({
    sdl,
    deadlineMs,
    cacheSize: 2,
    log: createLog('test', 'silent'),
    observe: () => {
      counted.planned++
    },
  })
  return Object.assign(counted, started, { [Symbol.asyncDispose]: () => started.close() })
}

test('an operation is planned once, also when it is asked for twice at a time; the cache is bounded', async () => {
  await using plans = planner(5_000)
  const [one, same] = await Promise.all([
    plans.plan(parse('{ p { id } }'), []),
    plans.plan(parse('{p{id}}'), []),
  ])
  expect(one).toBe(same)
  expect(plans.planned).toBe(1)
  await plans.plan(parse('{ p { x } }'), [])
  await plans.plan(parse('{ p { y } }'), [])
  expect(plans.planned).toBe(3)
  // The one that was asked for again is still there, the other not.
  await plans.plan(parse('{ p { id } }'), [])
  expect(plans.planned).toBe(3)
  await plans.plan(parse('{ p { x } }'), [])
  expect(plans.planned).toBe(4)
})

test('what takes longer than the deadline is refused, and the next operation gets a thread of its own', async () => {
  await using plans = planner(1)
  const level = (depth: number): string =>
    depth === 0 ? 'x y' : `x y q { ${level(depth - 1)} } r { ${level(depth - 1)} } s { ${level(depth - 1)} }`
  const refusals = await Promise.allSettled([
    plans.plan(parse(`{ p { ${level(5)} } }`), []),
    plans.plan(parse(`{ p { id ${level(5)} } }`), []),
  ])
  for (const refused of refusals)
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: { extensions: { code: 'OPERATION_TOO_COMPLEX' } },
    })
})

test('a closed planner leaves nobody waiting', async () => {
  await using plans = planner(5_000)
  const waiting = Promise.allSettled([
    plans.plan(parse('{ p { id } }'), []),
    plans.plan(parse('{ p { x } }'), []),
  ])
  await plans.close()
  expect((await waiting).map((each) => each.status)).toEqual(['rejected', 'rejected'])
})

test('a queue that is full takes no more', async () => {
  await using plans = planner(5_000)
  const asked = Array.from({ length: 600 }, (_, n) => plans.plan(parse(`{ p${n}: p { id } }`), []))
  const ended = await Promise.allSettled(asked)
  expect(ended.filter(({ status }) => status === 'fulfilled').length).toBe(501)
  expect(ended.at(-1)).toMatchObject({
    reason: { message: expect.stringContaining('500 operations wait'), extensions: { code: 'OVERLOADED' } },
  })
})
