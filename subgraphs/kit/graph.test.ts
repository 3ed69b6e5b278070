import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLog } from '@community/infra/log.ts'
import { expect, test } from 'vitest'
import { graphClient, patient } from './graph.ts'

/** The last of the answers again and again. */
async function graph(...answers: string[]) {
  const seen: { authorization: string | undefined; body: string }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += String(chunk)
    })
    request.on('end', () => {
      seen.push({ authorization: request.headers.authorization, body })
      response.end(answers.length > 1 ? answers.shift() : answers[0])
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
  return {
    seen,
    client: graphClient({ url, log: createLog('test', 'silent') }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('data is returned, the token and the variables are sent', async () => {
  await using gateway = await graph('{"data":{"agent":null}}')
  const { client, seen } = gateway
  expect(await client.ask('query ($id: ID!) { agent(id: $id) { id } }', { id: 'x' }, 'token')).toEqual({
    agent: null,
  })
  expect(seen).toEqual([
    {
      authorization: 'Bearer token',
      body: '{"query":"query ($id: ID!) { agent(id: $id) { id } }","variables":{"id":"x"}}',
    },
  ])
})

test('errors are thrown with their codes, also beside data', async () => {
  await using gateway = await graph(
    '{"data":{"a":1},"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}},{"message":"oh"}]}',
  )
  await expect(gateway.client.ask('{ a }', {}, null)).rejects.toMatchObject({
    message: 'no',
    codes: ['FORBIDDEN', 'INTERNAL'],
  })
})

test('what is no GraphQL answer, or none at all, is UNREACHABLE', async () => {
  const gateway = await graph('<html>')
  await expect(gateway.client.ask('{ a }', {}, null)).rejects.toMatchObject({ codes: ['UNREACHABLE'] })
  await gateway[Symbol.asyncDispose]()
  await expect(gateway.client.ask('{ a }', {}, null)).rejects.toMatchObject({ codes: ['UNREACHABLE'] })
})

const unavailable = '{"errors":[{"message":"away","extensions":{"code":"SUBGRAPH_UNAVAILABLE"}}]}'

test('who is patient asks again while a subgraph is away, and not for long', async () => {
  await using gateway = await graph(unavailable, unavailable, '{"data":{"agent":null}}')
  expect(await patient(gateway.client, 20_000).ask('{ agent }', {}, null)).toEqual({ agent: null })
  expect(gateway.seen).toHaveLength(3)
  await using dead = await graph(unavailable)
  await expect(patient(dead.client, 1_200).ask('{ agent }', {}, null)).rejects.toThrow('away')
  expect(dead.seen.length).toBeGreaterThan(1)
  await expect(
    patient(dead.client, 20_000).ask('{ agent }', {}, null, AbortSignal.timeout(700)),
  ).rejects.toThrow()
})

test('who is patient asks no second time what was refused', async () => {
  await using gateway = await graph('{"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}')
  await expect(patient(gateway.client, 20_000).ask('{ agent }', {}, null)).rejects.toThrow('no')
  expect(gateway.seen).toHaveLength(1)
})
