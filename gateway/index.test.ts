import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { composeSdl } from './testing/graph.ts'

const sdlWith = (field: string) => composeSdl({ one: { typeDefs: `type Query { ${field}: Int }` } })

test('a gateway reads its file again when it changes, and when it is told to by SIGHUP', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-index-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'supergraph.graphql')
  await writeFile(file, sdlWith('first'))
  const child = fork(join(import.meta.dirname, 'index.ts'), ['--supergraph', file, '--port', '0'], {
    env: { LOG_LEVEL: 'silent' },
    execArgv: [],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  const served = async () => {
    const query = encodeURIComponent('{ __schema { queryType { fields { name } } } }')
    const response = await fetch(`${url}?query=${query}`, { headers: { accept: 'application/json' } })
    const { data } = (await response.json()) as {
      data: { __schema: { queryType: { fields: { name: string }[] } } }
    }
    return data.__schema.queryType.fields.map(({ name }) => name)
  }
  const reloads = async (outcome: string) => {
    const metrics = await (await fetch(new URL('/metrics', url))).text()
    return Number(new RegExp(`reloads_total{outcome="${outcome}"} (\\d+)`).exec(metrics)?.[1] ?? 0)
  }
  expect(await served()).toEqual(['first'])
  await writeFile(file, 'type Query {')
  await expect.poll(() => reloads('refused'), { timeout: 10_000 }).toBe(1)
  expect(await served()).toEqual(['first'])
  await writeFile(file, sdlWith('second'))
  await expect.poll(served, { timeout: 10_000 }).toEqual(['second'])
  const unchanged = await reloads('unchanged')
  child.kill('SIGHUP')
  await expect.poll(() => reloads('unchanged'), { timeout: 10_000 }).toBeGreaterThan(unchanged)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
}, 60_000)
