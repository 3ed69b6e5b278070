/**
 * As much of RFC 6455 as a counting client needs. What `ws` does for a frame costs more than the gateway that sends it;
 * on two cores that would be what is measured.
 */
export const opcodes = { text: 1, close: 8, ping: 9, pong: 10 }

/** A frame as a client sends it, masked with zeros, which change nothing. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  if (length > 65_535) throw new Error(`a frame of ${length} bytes: expected up to 65535`)
  const head = Buffer.alloc(length < 126 ? 6 : 8)
  head[0] = 0x80 | opcode
  head[1] = 0x80 | Math.min(length, 126)
  if (length >= 126) head.writeUInt16BE(length, 2)
  return Buffer.concat([head, payload])
}

/** Calls `onFrame` for each whole frame of a server; answers what is left, the beginning of one. */
export function readFrames(
  bytes: Buffer,
  onFrame: (opcode: number, start: number, end: number) => void,
): Buffer {
  let at = 0
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1]! & 0x7f
    const headBytes = short === 126 ? 4 : short === 127 ? 10 : 2
    if (at + headBytes > bytes.length) break
    const length =
      short === 126
        ? bytes.readUInt16BE(at + 2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(at + 2))
          : short
    const end = at + headBytes + length
    if (end > bytes.length) break
    onFrame(bytes[at]! & 0x0f, at + headBytes, end)
    at = end
  }
  return bytes.subarray(at)
}
