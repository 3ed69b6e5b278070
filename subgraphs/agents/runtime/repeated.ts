import { createHash } from 'node:crypto'
import { z } from 'zod'

/** Messages that an agent has been sent, the latest `limit` of them. */
export type Repeated = {
  /**
   * What `first` answers, or where the same caller has sent the same message before, what came of it then: it is waited
   * for while it goes on, and `again` tells of its task afterwards. Null from `again`: nobody knows any more.
   */
  once(
    request: Record<string, unknown>,
    subject: string,
    first: () => Promise<object>,
    again: (taskId: string) => Promise<object | null>,
  ): Promise<object>
}

const sent = z.object({
  method: z.literal('SendMessage'),
  params: z.object({ message: z.looseObject({ messageId: z.string().min(1) }) }),
})
const ended = z.object({ result: z.object({ task: z.object({ id: z.string() }) }) })

/** A2A's message id is what a client repeats when it does not know whether its message arrived. */
export function openRepeated(limit: number): Repeated {
  const known = new Map<string, Promise<object> | string>()
  return {
    async once(request, subject, first, again) {
      const key = keyOf(request, subject)
      if (key === null) return await first()
      const before = known.get(key)
      if (before !== undefined) {
        const told = typeof before === 'string' ? await again(before) : await before
        if (told) return { ...told, id: request.id ?? null }
      }
      const answering = first()
      known.set(key, answering)
      for (const oldest of known.keys()) {
        if (known.size <= limit) break
        known.delete(oldest)
      }
      const taskOf = (answer: object) => ended.safeParse(answer).data?.result.task.id
      const taskId = await answering.then(taskOf, () => undefined)
      if (known.get(key) === answering) {
        if (taskId === undefined) known.delete(key)
        else known.set(key, taskId)
      }
      return await answering
    },
  }
}

/** Another message under the same id is another message. */
function keyOf(request: Record<string, unknown>, subject: string): string | null {
  const parsed = sent.safeParse(request)
  if (!parsed.success) return null
  return createHash('sha256')
    .update(JSON.stringify([subject, parsed.data.params.message]))
    .digest('base64')
}
