/** For thread.test.ts: does what its input says. */
import { serveThread } from './thread.ts'

type Input = { say: string } | { fail: string } | { hang: true } | { hoard: true }

serveThread((input: Input): string => {
  if ('say' in input) return input.say
  if ('fail' in input) throw new Error(input.fail)
  const hoard: unknown[] = []
  for (;;) if ('hoard' in input) hoard.push(Array.from({ length: 10_000 }, () => hoard.length))
})
