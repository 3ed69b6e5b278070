import { expect, test } from 'vitest'
import { wordPieces } from './word-pieces.ts'

const vocabulary = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  'un',
  '##afford',
  '##able',
  'cafe',
  ',',
  '!',
  '東',
  '京',
  'hello',
]
const pieces = wordPieces(
  JSON.stringify({
    model: { vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])), unk_token: '[UNK]' },
  }),
)
const tokensOf = (text: string, longest = 100) => pieces(text, longest).map((id) => vocabulary[id])

test('words are split into the longest pieces, without case and accents', () => {
  expect(tokensOf('Unaffordable CAFÉ')).toEqual(['[CLS]', 'un', '##afford', '##able', 'cafe', '[SEP]'])
})

test('signs and Chinese characters are words of their own, what is not known is [UNK]', () => {
  expect(tokensOf('hello,東京!\u0000 xyz')).toEqual([
    '[CLS]',
    'hello',
    ',',
    '東',
    '京',
    '!',
    '[UNK]',
    '[SEP]',
  ])
})

test('a long text is cut, and ends all the same', () => {
  expect(tokensOf('hello hello hello hello', 4)).toEqual(['[CLS]', 'hello', 'hello', '[SEP]'])
})
