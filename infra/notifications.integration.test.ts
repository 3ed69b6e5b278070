import pg from 'pg'
import { expect, test } from 'vitest'
import { testDatabase } from '../test/database.ts'
import { createLog } from './log.ts'
import { createNotifications } from './notifications.ts'
import { createPool } from './postgres.ts'

const log = createLog('test', 'fatal')

test('what one sends another hears, also after its connection was ended', async () => {
  await using database = await testDatabase()
  const url = database.url('eventlog')
  const open = () => {
    const heard: (string | null)[] = []
    const pool = createPool({ url, role: 'eventlog', applicationName: 'test' })
    const notifications = createNotifications({ url, pool, log, onTopic: (topic) => heard.push(topic) })
    const close = async () => {
      await notifications.close()
      await pool.end()
    }
    return { ...notifications, heard, [Symbol.asyncDispose]: close }
  }
  await using sender = open()
  await using listener = open()
  listener.listen()
  await expect.poll(() => listener.isListening()).toBe(true)
  for (const topic of ['a', 'b', 'b']) sender.send(topic)
  await expect.poll(() => listener.heard).toEqual([null, 'a', 'b'])
  expect(sender.heard).toEqual([])

  const admin = new pg.Client({ connectionString: database.adminUrl })
  await admin.connect()
  await admin.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'eventlog listener' and datname = current_database()`,
  )
  await admin.end()
  // Some may have been missed: whatever the topic.
  await expect.poll(() => listener.heard, { timeout: 10_000 }).toEqual([null, 'a', 'b', null])
  sender.send('c')
  await expect.poll(() => listener.heard.at(-1)).toBe('c')
})
