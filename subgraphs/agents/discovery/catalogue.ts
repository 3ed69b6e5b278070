import type { Source } from '../../kit/search/catalogue.ts'
import { topic } from '../events.ts'
import { entryOf, type Facts, fields } from './entry.ts'
import { entriesOf, revisionsSince } from './store.ts'

/** All agents, for discovery. */
export const agentSource: Source<Facts> = {
  name: 'discovery',
  fields,
  event: { topic, type: 'ossa.agents.AgentStatusChange' },
  revisionsSince,
  entriesById: async (db, ids) => (await entriesOf(db, ids)).map(entryOf),
}
