import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { follow } from './follow.ts'

type Act = (answer: (type: string, payload?: unknown) => void, socket: WebSocket) => void

/** A graph that does one thing after another, one with each subscription; and the cursors that it was asked for. */
async function serve(acts: Act[]) {
  const cursors: unknown[] = []
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  server.on('connection', (socket) => {
    const send = (message: object) => socket.send(JSON.stringify(message))
    socket.on('message', (text: Buffer) => {
      const { type, id, payload } = JSON.parse(text.toString()) as {
        type: string
        id: string
        payload: { variables: { after: unknown } }
      }
      if (type === 'connection_init') send({ type: 'connection_ack' })
      if (type !== 'subscribe') return
      cursors.push(payload.variables.after)
      acts.shift()?.((kind, more) => send({ id, type: kind, payload: more }), socket)
    })
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cursors,
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const status = (name: string, cursor: string) => ({
  data: {
    deploymentStatus: {
      transition: null,
      phase: null,
      plan: {
        id: 'p',
        status: name,
        reasons: [],
        iteration: 1,
        progress: { done: 1, failed: 0, total: 2 },
        tokenBudget: { allocated: 2, spent: 1 },
        startedAt: null,
        finishedAt: null,
      },
    },
  },
  extensions: { stream: { cursor } },
})

const refused: Act = (answer) => answer('error', [{ message: 'no cursor of this graph' }])

test('a run is followed over a broken connection, and from its start where the cursor is refused', async () => {
  await using graph = await serve([
    (answer, socket) => {
      answer('next', status('RUNNING', 'old'))
      socket.close(1001)
    },
    refused,
    (answer) => answer('next', status('CONVERGED', 'new')),
  ])
  const seen = []
  for await (const { plan } of follow(graph.url, 'p', () => Promise.resolve('token'))) seen.push(plan.status)
  expect([seen, graph.cursors]).toEqual([
    ['RUNNING', 'CONVERGED'],
    [null, 'old', null],
  ])
})

test('a run that is refused without a cursor is not asked for again', async () => {
  await using graph = await serve([refused])
  await expect(follow(graph.url, 'p', () => Promise.resolve('token')).next()).rejects.toThrow('no cursor')
  expect(graph.cursors).toEqual([null])
})
