import { createBell } from '@community/infra/bell.ts'
import { inTransaction } from '@community/infra/postgres.ts'
import type { Principal } from '../../kit/principal.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import type { Search } from '../search/read.ts'
import { type Asked, noteNeeds } from './store.ts'

export type Needs = {
  /** A search that found nothing; kept a moment later, or not at all: nobody waits for it. */
  note(search: Pick<Search, 'words' | 'filter' | 'page'>, principal: Principal): void
  stop(): Promise<void>
}

// What is asked beyond it, before it could be written, is not kept.
const mostWaiting = 200
const longest = 200
const idleMs = 60_000

/** Keeps the questions that the catalogue did not answer. */
export function keepNeeds({ pool, log }: Pick<Floor, 'pool' | 'log'>): Needs {
  let waiting: Asked[] = []
  const stopping = new AbortController()
  const bell = createBell()

  async function write(): Promise<void> {
    const asked = waiting
    waiting = []
    if (asked.length === 0) return
    try {
      await inTransaction(pool, internalSettings, (tx) => noteNeeds(tx, asked))
    } catch (error) {
      log.warn({ err: error, asked: asked.length }, 'what was looked for in vain could not be kept')
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await write()
      await bell.wait(idleMs, stopping.signal)
    }
    await write()
  }

  const running = run()
  return {
    note({ words, filter, page }, { organization }) {
      // What a filter leaves out may be there, and what is on a later page was asked before.
      if (page.after !== null || Object.values(filter).some((each) => each != null)) return
      const question = normalised(words ?? '')
      if (question === null || waiting.length >= mostWaiting) return
      waiting.push({ question, organizationId: organization ?? '' })
      bell.ring()
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** The same for all who write it in another way; null where it says nothing, or so much that it may be a text of somebody's. */
function normalised(query: string): string | null {
  const question = query
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim()
  return question.length === 0 || question.length > longest ? null : question
}
