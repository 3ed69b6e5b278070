import type { LogRecord } from '@community/infra/eventlog.ts'
import type { ObservedDeadLetters } from './detect.ts'
import { thresholds } from './thresholds.ts'

export type DeadLetters = {
  /** A record of the topic of dead letters. */
  add(record: Pick<LogRecord, 'headers'>): void
  /** Those of the last minute, by the topic that they came from. */
  latest(): ObservedDeadLetters[]
}

/** Of a topic so many are counted at most. */
const keptOfTopic = 1_000

type Letter = { at: number; error: string }

export function openDeadLetters(now: () => number = Date.now): DeadLetters {
  const topics = new Map<string, Letter[]>()
  return {
    add({ headers }) {
      const { 'source-topic': topic = 'unknown', error = 'no reason was given' } = headers
      const letters = topics.get(topic) ?? []
      letters.push({ at: now(), error: error.slice(0, 300) })
      if (letters.length > keptOfTopic) letters.shift()
      topics.set(topic, letters)
    },
    latest() {
      const since = now() - thresholds.unreadableMs
      return [...topics].flatMap(([topic, all]) => {
        const letters = all.filter(({ at }) => at >= since)
        const last = letters.at(-1)
        if (!last) {
          topics.delete(topic)
          return []
        }
        topics.set(topic, letters)
        return [{ topic, records: letters.length, error: last.error }]
      })
    },
  }
}
