import { expect, test } from 'vitest'
import { highlighter } from './highlight.ts'
import { termsOf } from './terms.ts'

const stemsOf = (...words: string[]) =>
  new Set(words.flatMap((word) => termsOf(word)).map(({ stem }) => stem))

/** Matches in brackets. */
const shown = (text: string, ...words: string[]) =>
  highlighter(stemsOf(...words))(text)
    ?.map((fragment) => (fragment.matched ? `[${fragment.text}]` : fragment.text))
    .join('') ?? null

test.each([
  ['invoice-reader', ['invoices', 'reading'], '[invoice]-reader'],
  ['Reads the readings of readers.', ['read'], '[Reads] the [readings] of readers.'],
  ['findInvoices, café and naïve', ['invoice', 'cafe'], 'find[Invoices], [café] and naïve'],
  ['Décomposé: cafe\u0301s', ['cafes'], 'Décomposé: [cafe\u0301s]'],
  ['<b>bold</b> & "quoted"', ['bold'], '<b>[bold]</b> & "quoted"'],
  ['INVOICES and iNvoice, ok', ['invoice', 'oks'], '[INVOICES] and iNvoice, [ok]'],
  ['Says the sky is dry, say', ['say', 'sky'], '[Says] the [sky] is dry, [say]'],
  ['nothing of the kind', ['invoice'], null],
  ['', ['invoice'], null],
])('of %j the words %j are marked', (text, words, expected) => {
  expect(shown(text, ...words)).toBe(expected)
})

test('of a long text the part with most of the words is shown, whole words, with dots where it is cut', () => {
  const filler = 'lorem ipsum dolor sit amet '.repeat(20)
  const text = `An invoice. ${filler}Reads an invoice and pays it. ${filler}`
  const found = shown(text, 'invoice', 'pay')
  expect(found).toMatch(/^…\p{L}.*Reads an \[invoice\] and \[pays\] it\..*\p{L}…$/u)
  expect(found!.length).toBeLessThan(250)
  expect(text).toContain(found!.replace(/[[\]…]/g, ''))
})

test('a text that is long and has no spaces is cut all the same', () => {
  const found = highlighter(stemsOf('invoice'))(`${'界'.repeat(1_000)} invoice ${'x'.repeat(1_000)}`)!
  expect(found.filter(({ matched }) => matched)).toEqual([{ text: 'invoice', matched: true }])
  expect(found.map(({ text }) => text).join('').length).toBeLessThan(250)
})
