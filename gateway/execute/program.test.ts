import { expect, test } from 'vitest'
import { createProgram, literal, quoted, reading } from './program.ts'

test.each(['', 'a b', '1a', 'a"', "a'", 'a`', 'a\\', 'a\n', 'a\u2028', 'é', '𝒳', 'a]=1;x[', 'a-b', '@'])(
  '%j is no name and gets into no program',
  (name) => {
    expect(() => literal(name)).toThrow(/no name of GraphQL/)
    expect(() => reading('v', name)).toThrow(/no name of GraphQL/)
  },
)

test('what every object has is not read from its prototype', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'upc']) {
    const program = createProgram()
    const read = program.link<(v: object) => unknown>(program.define('v', `return ${reading('v', name)}`))
    expect(read({})).toBeUndefined()
    expect(read(JSON.parse(`{${JSON.stringify(name)}:1}`) as object)).toBe(1)
  }
})

test('a function calls itself, others that were defined, and what the program refers to', () => {
  const program = createProgram()
  const double = program.refer((n: number) => n * 2)
  const doubled = program.define('n', `return ${double}(n)`)
  const sum = program.define('n', (self) => `return n===0?0:${doubled}(n)+${self}(n-1)`)
  expect(program.link<(n: number) => number>(sum)(3)).toBe(12)
})

test('text is quoted as JSON does, whatever is in it', () => {
  for (let unit = 0; unit <= 0xffff; unit++) {
    const text = `a${String.fromCharCode(unit)}b`
    if (quoted(text) !== JSON.stringify(text)) throw new Error(`U+${unit.toString(16)}: ${quoted(text)}`)
  }
  for (const text of ['', '𝒳', '\ud835', '"', '</script>', '\u2028'])
    expect(quoted(text)).toBe(JSON.stringify(text))
})
