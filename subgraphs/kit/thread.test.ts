import { createLog } from '@community/infra/log.ts'
import { afterAll, expect, test } from 'vitest'
import { openThread, ThreadGaveUp } from './thread.ts'

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())

function opened(options: { longestMs?: number; mostWaiting?: number; mostMegabytes?: number } = {}) {
  const file = new URL('./testing-thread.ts', import.meta.url)
  const thread = openThread<object, string>({
    file,
    longestMs: 60_000,
    log: createLog('test', 'silent'),
    ...options,
  })
  stack.defer(() => thread.close())
  return thread
}

const message = (asked: Promise<unknown>) =>
  asked.then(String, (error: Error) => `${error.name}: ${error.message}`)

test('what is asked is answered one after the other, and what is thrown is told', async () => {
  const thread = opened()
  const answers = [{ say: 'one' }, { fail: 'two' }, { say: 'three' }].map((input) =>
    message(thread.ask(input)),
  )
  expect(await Promise.all(answers)).toEqual(['one', 'Error: two', 'three'])
})

test('what never ends is given up, the process goes on meanwhile, and the next is answered by another thread', async () => {
  const thread = opened({ longestMs: 300 })
  const ended: string[] = []
  const hanging = thread.ask({ hang: true }).catch((error: unknown) => {
    ended.push('hung')
    return error
  })
  const next = thread.ask({ say: 'next' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  ended.push('meanwhile')
  expect(await hanging).toBeInstanceOf(ThreadGaveUp)
  expect([await next, ended]).toEqual(['next', ['meanwhile', 'hung']])
})

test('what needs too much memory ends alone', async () => {
  const thread = opened({ mostMegabytes: 32 })
  const answers = [{ hoard: true }, { say: 'still here' }].map((input) => message(thread.ask(input)))
  expect(await Promise.all(answers)).toEqual(['Error: it took more than 32 MB', 'still here'])
})

test('a thread that never comes to work is given up with what waited for it', async () => {
  const thread = openThread<object, string>({
    file: new URL('data:text/javascript,setInterval(() => {}, 1000)'),
    longestMs: 60_000,
    readyWithinMs: 300,
    log: createLog('test', 'silent'),
  })
  stack.defer(() => thread.close())
  const asked = [{ say: 'a' }, { say: 'b' }].map((input) => message(thread.ask(input)))
  expect(await Promise.all(asked)).toEqual(Array(2).fill('Error: the thread was not ready within 300 ms'))
})

test('more than may wait are refused at once, and who waits when it is closed is told', async () => {
  const thread = opened({ mostWaiting: 2 })
  const asked = [{ hang: true }, { say: 'a' }].map((input) => message(thread.ask(input)))
  await expect(thread.ask({ say: 'b' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await thread.close()
  expect(await Promise.all(asked)).toEqual(Array(2).fill('Error: the thread was closed'))
  expect(await message(thread.ask({ say: 'c' }))).toBe('Error: the thread is closed')
})
