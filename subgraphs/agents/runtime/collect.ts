import { Session } from 'node:inspector/promises'

/** Frees all of this thread's heap that nothing holds. Needs no flag: those that `gc` is exposed by are the whole process's. */
export async function collectGarbage(): Promise<void> {
  const session = new Session()
  session.connect()
  // Twice: what is outside the heap is given back when what held it has gone.
  await session.post('HeapProfiler.collectGarbage')
  await session.post('HeapProfiler.collectGarbage')
  session.disconnect()
}
