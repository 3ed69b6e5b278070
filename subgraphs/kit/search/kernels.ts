/**
 * The two loops that compare a query with many vectors, in WebAssembly with SIMD: 16 numbers, or 128 signs, at a time. Both take
 * addresses in bytes, of the query, of the first row and the end of the last one, the length of a row, and of what is written: an
 * int32 for each row.
 */
export type Kernels = {
  /** Of bits: how many of a row's are not as the query's. Rows are of 16 bytes or a multiple. */
  differences(query: number, from: number, to: number, rowBytes: number, out: number): void
  /** Of rows of int8, 8 of them or a multiple, with a query of int16: sums of products. They have to fit into 32 bits. */
  dots(query: number, from: number, to: number, rowBytes: number, out: number): void
}

export function kernelsIn(memory: WebAssembly.Memory): Kernels {
  compiled ??= new WebAssembly.Module(assembled())
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as Kernels
}

let compiled: WebAssembly.Module | null = null

type Code = (number | Code)[]

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

const vector = (opcode: number): Code => [0xfd, unsigned(opcode)]

// As the specification numbers them. Loads and stores promise no alignment.
const op = {
  loop: (body: Code): Code => [0x03, 0x40, body, 0x0b],
  when: (condition: Code, body: Code): Code => [0x02, 0x40, condition, 0x45, 0x0d, 0, body, 0x0b],
  againIf: (condition: Code): Code => [condition, 0x0d, 0],
  get: (local: number): Code => [0x20, local],
  set: (local: number, value: Code): Code => [value, 0x21, local],
  i32: {
    /** Below 64. */
    constant: (value: number): Code => [0x41, value],
    add: (a: Code, b: Code): Code => [a, b, 0x6a],
    less: (a: Code, b: Code): Code => [a, b, 0x49],
    store: (at: Code, value: Code): Code => [at, value, 0x36, 0, 0],
  },
  v128: {
    zero: [...vector(0x0c), Array<number>(16).fill(0)],
    load: (at: Code): Code => [at, ...vector(0x00), 0, 0],
    /** Eight int8 as int16. */
    load8x8: (at: Code): Code => [at, ...vector(0x01), 0, 0],
    xor: (a: Code, b: Code): Code => [a, b, ...vector(0x51)],
    popcnt8: (a: Code): Code => [a, ...vector(0x62)],
    pairs8: (a: Code): Code => [a, ...vector(0x7d)],
    pairs16: (a: Code): Code => [a, ...vector(0x7f)],
    add16: (a: Code, b: Code): Code => [a, b, ...vector(0x8e)],
    add32: (a: Code, b: Code): Code => [a, b, ...vector(0xae)],
    dot16: (a: Code, b: Code): Code => [a, b, ...vector(0xba)],
    lane32: (a: Code, lane: number): Code => [a, ...vector(0x1b), lane],
  },
} satisfies Record<string, unknown>

function assembled(): Uint8Array<ArrayBuffer> {
  const { i32, v128 } = op
  const [query, at, to, rowBytes, out, within, sum] = [0, 1, 2, 3, 4, 5, 6] as const
  const step = (local: number, by: Code) => op.set(local, i32.add(op.get(local), by))
  const total = (sums: Code) =>
    [1, 2, 3].reduce<Code>((all, lane) => i32.add(all, v128.lane32(sums, lane)), v128.lane32(sums, 0))
  const eachRow = (bytes: number, added: Code, sums: Code): Code =>
    op.when(
      i32.less(op.get(at), op.get(to)),
      op.loop([
        op.set(sum, v128.zero),
        op.set(within, i32.constant(0)),
        op.loop([
          op.set(sum, added),
          step(within, i32.constant(bytes)),
          op.againIf(i32.less(op.get(within), op.get(rowBytes))),
        ]),
        op.set(sum, sums),
        i32.store(op.get(out), total(op.get(sum))),
        step(out, i32.constant(4)),
        step(at, op.get(rowBytes)),
        op.againIf(i32.less(op.get(at), op.get(to))),
      ]),
    )
  const place = (base: number) => i32.add(op.get(base), op.get(within))
  const differences = eachRow(
    16,
    v128.add16(
      op.get(sum),
      v128.pairs8(v128.popcnt8(v128.xor(v128.load(place(at)), v128.load(place(query))))),
    ),
    v128.pairs16(op.get(sum)),
  )
  // The query's numbers take two bytes each.
  const twice = i32.add(place(query), op.get(within))
  const dots = eachRow(
    8,
    v128.add32(op.get(sum), v128.dot16(v128.load8x8(place(at)), v128.load(twice))),
    op.get(sum),
  )

  const [i32Type, v128Type] = [0x7f, 0x7b]
  const sized = (bytes: Code): Code => {
    const flat = flatten(bytes)
    return [unsigned(flat.length), flat]
  }
  const section = (id: number, items: Code[]): Code => [id, sized([items.length, items])]
  const name = (text: string): Code => sized([...Buffer.from(text)])
  const body = (code: Code) => sized([2, 1, i32Type, 1, v128Type, code, 0x0b])
  return Uint8Array.from(
    flatten([
      [...Buffer.from('\0asm')],
      [1, 0, 0, 0],
      section(1, [[0x60, 5, Array<number>(5).fill(i32Type), 0]]),
      section(2, [[name('env'), name('memory'), 2, 0, 1]]),
      section(3, [[0], [0]]),
      section(7, [
        [name('differences'), 0, 0],
        [name('dots'), 0, 1],
      ]),
      section(10, [body(differences), body(dots)]),
    ]),
  )
}

const flatten = (code: Code): number[] =>
  code.flatMap((each) => (typeof each === 'number' ? each : flatten(each)))
