import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { clientFrame, opcodes, readFrames } from './subscriptions-frames.ts'

// The lengths at which the head of a frame changes.
const lengths = [0, 1, 125, 126, 65_535, 65_536]
const textOf = (length: number) => `${length % 10}`.repeat(length)
const briefly = (text: string) => [text.length, text.slice(0, 1)]
const upgrade = [
  'GET / HTTP/1.1',
  'host: localhost',
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: c3Vic2NyaXB0aW9ucyEhIQ==',
  '\r\n',
].join('\r\n')

test('frames are read wherever the network cuts them, and a server understands ours', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const heard: string[] = []
  server.on('connection', (socket) => {
    for (const length of lengths) socket.send(textOf(length))
    socket.ping('still there?')
    socket.on('message', (message: Buffer) => heard.push(message.toString()))
    socket.once('pong', (payload) => socket.close(4000, payload.toString()))
  })
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(upgrade)
  const seen: { opcode: number; text: string }[] = []
  let rest: Buffer = Buffer.alloc(0)
  const read = (part: Buffer) => {
    const bytes = Buffer.concat([rest, part])
    rest = readFrames(bytes, (opcode, start, end) => {
      seen.push({ opcode, text: bytes.toString('latin1', start, end) })
      if (opcode === opcodes.close) socket.end(clientFrame(opcodes.close, Buffer.alloc(0)))
      if (opcode !== opcodes.ping) return
      for (const length of lengths.slice(0, -1))
        socket.write(clientFrame(opcodes.text, Buffer.from(textOf(length))))
      socket.write(clientFrame(opcodes.pong, bytes.subarray(start, end)))
    })
  }
  let upgraded = false
  socket.on('data', (bytes: Buffer) => {
    let from = upgraded ? 0 : bytes.indexOf('\r\n\r\n') + 4
    upgraded = true
    // Byte by byte where the heads of frames are, in pieces behind them.
    while (from < bytes.length) {
      const size = from < 600 ? 1 : 7_919
      read(bytes.subarray(from, from + size))
      from += size
    }
  })
  await once(socket, 'close')
  await new Promise((closed) => server.close(closed))
  expect(seen.map(({ opcode, text }) => [opcode, ...briefly(text)])).toEqual([
    ...lengths.map((length) => [opcodes.text, ...briefly(textOf(length))]),
    [opcodes.ping, ...briefly('still there?')],
    [opcodes.close, 2 + 'still there?'.length, String.fromCharCode(4000 >> 8)],
  ])
  expect(heard.map(briefly)).toEqual(lengths.slice(0, -1).map((length) => briefly(textOf(length))))
})
