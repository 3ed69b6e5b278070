import type { Config } from '@community/infra/config.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import { openKeys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import { createShared } from '../shared.ts'
import { createCursors } from './cursor.ts'
import type { LiveRooms } from './session.ts'
import { startTopics } from './topics.ts'

type OpenRooms = { rooms: LiveRooms | null; release: () => Promise<void> }

/** What subscriptions need, for the topics that a supergraph binds: supergraphs that bind the same share it. */
export type LivePool = { open(bindings: Iterable<{ topic: string }>): Promise<OpenRooms> }

export function createLivePool(eventLog: EventLog | null, config: Config, log: Log): LivePool {
  const shared = createShared<Promise<LiveRooms>>(async (rooms) => {
    const { topics } = await rooms
    await topics.stop()
  })

  async function openRooms(events: EventLog, topics: string[]): Promise<LiveRooms> {
    if (config.keysDir === undefined)
      throw new Error('KEYS_DIR is not set: cursors of subscriptions are signed')
    const cursors = createCursors(await openKeys(config.keysDir, 'cursor'))
    await events.ensureTopics(topics)
    return { topics: await startTopics(events, topics, log, config.subscriptionRecentBytes), cursors }
  }

  return {
    async open(bindings) {
      const topics = [...new Set([...bindings].map(({ topic }) => topic))].toSorted()
      if (!eventLog || topics.length === 0) return { rooms: null, release: () => Promise.resolve() }
      const { value, release } = shared.take(topics.join('\n'), () => openRooms(eventLog, topics))
      try {
        return { rooms: await value, release }
      } catch (error) {
        // Nothing was opened that could be closed.
        await release().catch(() => undefined)
        throw error
      }
    },
  }
}
