import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/** How an agent answers; `well` is its sum of two numbers. */
export type Conduct =
  | 'well'
  | 'errors'
  | 'hangs'
  | 'wrong type'
  | 'huge'
  /** As long as a call may be, and much longer than it has to be. */
  | 'wordy'
  /** As declared, and not what was asked for. */
  | 'wrong'
  | { slowMs: number }

export type ServedAgent = {
  url: string
  conduct: Conduct
  /** Messages that have reached it. */
  messages: number
  /** Breaks off all connections and refuses new ones. */
  leave(): Promise<void>
  comeBack(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A message that takes the agent down for a while. */
export const poison = 666

type Request = {
  id: unknown
  method?: string
  params?: { message?: { parts?: { data?: { input?: { a?: number; b?: number } } }[] } }
}

const textOf = (words: number) => 'and so on '.repeat(words / 3)
const downMs = 800

/** An agent elsewhere, as `manifestOf` in fleet.ts declares it, on loopback. */
export async function serveAgent(): Promise<ServedAgent> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const leave = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  const port = await listen(0)
  let ended = false

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { id, method, params } = (await json(request)) as Request
    const reply = (body: object) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, ...body }))
    const { conduct } = agent
    if (conduct === 'hangs') return
    if (method !== 'SendMessage') return void reply({ error: { code: -32_001, message: 'Task not found' } })
    agent.messages++
    const { a = 0, b = 0 } = params?.message?.parts?.[0]?.data?.input ?? {}
    if (a === poison) return await fall(response)
    if (conduct === 'errors') return void reply({ error: { code: -32_603, message: 'out of order' } })
    if (typeof conduct === 'object') await sleep(conduct.slowMs)
    const message = {
      messageId: randomUUID(),
      role: 'ROLE_AGENT',
      parts: [{ data: outputOf(conduct, a, b) }],
    }
    reply({ result: { message } })
  }

  async function fall(response: ServerResponse): Promise<void> {
    response.destroy()
    await leave()
    await sleep(downMs)
    if (!ended) await agent.comeBack()
  }

  const agent: ServedAgent = {
    url: `http://127.0.0.1:${port}/`,
    conduct: 'well',
    messages: 0,
    leave,
    async comeBack() {
      if (!server.listening) await listen(port)
    },
    async [Symbol.asyncDispose]() {
      ended = true
      await leave()
    },
  }
  return agent
}

function outputOf(conduct: Conduct, a: number, b: number): unknown {
  if (conduct === 'wrong type') return { sum: `${a + b}`, note: 7 }
  if (conduct === 'huge') return { sum: a + b, note: textOf(24_000) }
  if (conduct === 'wordy') return { sum: a + b, note: textOf(1_500) }
  return { sum: conduct === 'wrong' ? 42 : a + b, note: '' }
}
