import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** What a script offers to the process that started it: by name, with one argument. */
type Offers = Record<string, (argument: never) => unknown>

export type Child<O extends Offers> = {
  ask<Name extends keyof O & string>(
    name: Name,
    ...argument: Parameters<O[Name]>
  ): Promise<Awaited<ReturnType<O[Name]>>>
  stop(): Promise<void>
}

type Question = { id: number; name: string; argument: unknown }
type Reply = { id: number; answer: unknown } | { id: number; failed: string }

/** Runs a script of this folder in a process of its own. */
export async function startChild<O extends Offers>(script: string, args: string[] = []): Promise<Child<O>> {
  const child = fork(join(import.meta.dirname, script), args)
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const started = Promise.withResolvers<void>()
  let nextId = 1
  child.on('message', (message: 'ready' | Reply) => {
    if (message === 'ready') {
      started.resolve()
      return
    }
    const asked = waiting.get(message.id)
    waiting.delete(message.id)
    if ('failed' in message) asked?.reject(new Error(message.failed))
    else asked?.resolve(message.answer)
  })
  const exited = once(child, 'exit')
  child.once('exit', (code) => {
    const ended = new Error(`${script} ended with ${code}`)
    started.reject(ended)
    for (const asked of waiting.values()) asked.reject(ended)
  })
  await started.promise
  return {
    async ask(name, ...[argument]) {
      const asked = Promise.withResolvers<unknown>()
      waiting.set(nextId, asked)
      child.send({ id: nextId++, name, argument } satisfies Question)
      return (await asked.promise) as never
    },
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** In the child: what its parent may ask from now on. It ends with its parent. */
export function offer(offers: Offers): void {
  process.on('message', ({ id, name, argument }: Question) => {
    Promise.try(() => offers[name]?.(argument as never)).then(
      (answer) => process.send?.({ id, answer } satisfies Reply),
      (error: unknown) => process.send?.({ id, failed: String(error) } satisfies Reply),
    )
  })
  process.once('disconnect', () => process.exit(0))
  process.send?.('ready')
}
