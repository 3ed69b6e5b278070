import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { startGateway } from '@community/gateway/gateway.ts'
import { readConfig } from '@community/infra/config.ts'
import { createLog } from '@community/infra/log.ts'
import { expect, inject, onTestFinished, test } from 'vitest'
import { ask } from '../client.ts'
import { fiveSubgraphs } from './queries.ts'

const world = inject('world')

type Fetch = { subgraph: string; statements: number }

test('a query over five subgraphs makes the same few statements for ten agents as for all', async () => {
  const { url, fetches } = await gatewayThatCounts()
  const count = async (first: number) => {
    fetches.splice(0)
    const { data, errors } = await ask<{ agents: { edges: unknown[] } }>(url, fiveSubgraphs, { first })
    expect(errors).toBeUndefined()
    return {
      agents: data?.agents.edges.length,
      fetches: fetches.toSorted((a, b) => a.subgraph.localeCompare(b.subgraph)),
    }
  }
  const few = await count(10)
  const all = await count(200)
  expect(few.agents).toBe(10)
  expect(all.agents).toBeGreaterThanOrEqual(93)
  expect(all.fetches).toEqual(few.fetches)
  expect(all.fetches).toEqual([
    { subgraph: 'agents', statements: 2 },
    { subgraph: 'certification', statements: 2 },
    { subgraph: 'federation', statements: 1 },
    { subgraph: 'marketplace', statements: 1 },
    { subgraph: 'telemetry', statements: 1 },
  ])
})

/** A gateway of its own over the running subgraphs, behind proxies that note each fetch and what it cost. */
async function gatewayThatCounts(): Promise<{ url: string; fetches: Fetch[] }> {
  const fetches: Fetch[] = []
  const addresses: Record<string, string> = {}
  for (const [subgraph, target] of Object.entries(world.subgraphUrls)) {
    const proxy = createServer((request, response) => {
      const forward = async () => {
        const headers = {
          'content-type': 'application/json',
          'x-ossa-principal': String(request.headers['x-ossa-principal']),
        }
        const answer = await fetch(target, { method: 'POST', headers, body: await text(request) })
        fetches.push({ subgraph, statements: Number(answer.headers.get('x-statements')) })
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
      }
      forward().catch((error: unknown) => response.destroy(error as Error))
    })
    await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening))
    onTestFinished(() => {
      proxy.close()
      proxy.closeAllConnections()
    })
    addresses[`SUBGRAPH_URL_${subgraph.toUpperCase()}`] =
      `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/`
  }
  const gateway = await startGateway({
    sdl: await readFile(join(import.meta.dirname, '../../schema/supergraph.graphql'), 'utf8'),
    port: 0,
    config: readConfig({ KEYS_DIR: world.keysDir, ...addresses }),
    log: createLog('gateway', 'error'),
    eventLog: null,
  })
  onTestFinished(() => gateway.stop())
  return { url: gateway.url, fetches }
}
