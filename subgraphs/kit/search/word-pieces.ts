/** Ids of a text's word pieces, between those of [CLS] and [SEP]; at most `longest` in all. */
export type WordPieces = (text: string, longest: number) => number[]

type TokenizerFile = { model: { vocab: Record<string, number>; unk_token?: string } }

const longestWord = 100

/** BERT's uncased tokenizer, as the model's `tokenizer.json` describes it. */
export function wordPieces(file: string): WordPieces {
  const { model } = JSON.parse(file) as TokenizerFile
  const vocabulary = new Map(Object.entries(model.vocab))
  const idOf = (token: string): number => {
    const id = vocabulary.get(token)
    if (id === undefined) throw new Error(`the tokenizer has no ${token}`)
    return id
  }
  const [begin, end, unknown] = [idOf('[CLS]'), idOf('[SEP]'), idOf(model.unk_token ?? '[UNK]')]

  /** The longest piece that the vocabulary has, again and again. */
  function piecesOf(word: string): number[] {
    if (word.length > longestWord) return [unknown]
    const ids: number[] = []
    for (let from = 0; from < word.length; ) {
      let to = word.length
      let id: number | undefined
      for (; to > from; to--) {
        id = vocabulary.get(from === 0 ? word.slice(0, to) : `##${word.slice(from, to)}`)
        if (id !== undefined) break
      }
      if (id === undefined) return [unknown]
      ids.push(id)
      from = to
    }
    return ids
  }

  return (text, longest) => {
    const ids = [begin]
    for (const word of wordsOf(text)) {
      ids.push(...piecesOf(word))
      if (ids.length >= longest - 1) break
    }
    return [...ids.slice(0, longest - 1), end]
  }
}

// Signs, and Chinese characters, are words of one character each.
const word = /[\p{Script=Han}]|[!-/:-@[-`{-~]|\p{P}|[^\s\p{P}\p{Script=Han}!-/:-@[-`{-~]+/gu

const wordsOf = (text: string): string[] =>
  text
    .replace(/[\0\ufffd]|(?![\t\n\r])\p{Cc}|\p{Cf}/gu, '')
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .match(word) ?? []
