import type { Weakness } from '../weakness.ts'
import { saysIn } from './instructions.ts'
import { disguisedWords, invisible } from './plain-text.ts'
import { type RuleName, weakness } from './rules.ts'

type Hidden = { rule: RuleName; seen: string }

/** What of a text people do not see, and what it says once it is decoded. */
export function hiddenIn(at: string, text: string): Weakness[] {
  const isAscii = /^[\t\n\r -~]*$/.test(text)
  const found = [
    ...(isAscii ? [] : [...invisibles(text), ...reordered(text), ...disguised(text)]),
    ...(isAscii && !/[<[]/.test(text) ? [] : markup(text)),
    ...(text.length < 24 ? [] : encoded(text)),
  ]
  return found.map(({ rule, seen }) => weakness(rule, at, seen))
}

const joining = /\ufe0f|[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}]/u
// Scripts whose letters join, and are kept from it or made to by these.
const joiningScripts =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Thai}\p{Script=Lao}\p{Script=Myanmar}]/u
const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}]/u
const flag = /\u{1f3f4}[\u{e0061}-\u{e007a}\u{e0030}-\u{e0039}]{1,6}\u{e007f}/gu
const directions = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/u

function invisibles(text: string): Hidden[] {
  const characters = Array.from(text.replaceAll(flag, ''))
  const stray = characters.filter((one, index) => {
    if (one.match(invisible) === null || directions.test(one)) return false
    const [before, after] = [characters[index - 1] ?? '', characters[index + 1] ?? '']
    if (one === '\u200d')
      return !(joining.test(before) && joining.test(after)) && !joiningScripts.test(before)
    if (one === '\u200c') return !joiningScripts.test(before)
    // One selector chooses how the character before it looks; several spell something.
    if (/[\ufe00-\ufe0f]/.test(one))
      return before === '' || before.match(invisible) !== null || /\s/.test(before)
    return true
  })
  if (stray.length === 0) return []
  const names = [...new Set(stray)].slice(0, 5).map(codePoint).join(', ')
  return [{ rule: 'invisible-characters', seen: `${stray.length} characters: ${names}${spelled(stray)}` }]
}

const codePoint = (one: string) => `U+${one.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`

/** What tag characters spell. */
function spelled(characters: readonly string[]): string {
  const codes = characters
    .map((one) => one.codePointAt(0)! - 0xe0000)
    .filter((code) => code >= 32 && code < 127)
  return codes.length === 0 ? '' : `, saying ${String.fromCharCode(...codes.slice(0, 100))}`
}

function reordered(text: string): Hidden[] {
  const marks = Array.from(text).filter((one) => directions.test(one))
  // Marks belong to scripts that are written from the right; an override turns letters round in any.
  const wrong = rightToLeft.test(text) ? marks.filter((one) => /[\u202d\u202e]/.test(one)) : marks
  return wrong.length === 0
    ? []
    : [{ rule: 'reordered-text', seen: [...new Set(wrong)].map(codePoint).join(', ') }]
}

function disguised(text: string): Hidden[] {
  const [first] = disguisedWords(text)
  if (first === undefined) return []
  const foreign = Array.from(first).filter((one) => !/\p{Script=Latin}/u.test(one))
  return [
    { rule: 'look-alike-letters', seen: `${first} with ${foreign.slice(0, 3).map(codePoint).join(', ')}` },
  ]
}

const unseen: readonly [what: string, form: RegExp][] = [
  ['a comment', /<!--(?=[^>]{0,2000}?[\p{L}\d]{2})[\s\S]{1,4000}?(?:-->|$)/u],
  ['a comment', /^[ ]{0,3}\[[^\]\n]{1,60}\]:[ \t]{0,4}(?:#|<>)[ \t]{1,4}["'(][^\n]{3,2000}/mu],
  [
    'an element that is not shown',
    /<[a-z][^<>]{0,200}\b(?:style\s?=[^<>]{0,200}(?:display\s?:\s?none|visibility\s?:\s?hidden|opacity\s?:\s?0(?![.\d])|font-size\s?:\s?[01](?:px|pt|em)?(?![.\d])|color\s?:\s?(?:transparent|white|#fff(?:fff)?\b)|(?:left|top|text-indent)\s?:\s?-\d{3,5})|hidden(?=[\s=/>])|aria-hidden)[^<>]{0,200}>/i,
  ],
  [
    'an element whose content is not shown',
    /<(?:template|script|noscript)\b[^<>]{0,200}>[^<]{3,2000}<\/|<(?:iframe|object|embed|meta)\s[^<>]{0,200}=/i,
  ],
  ['a control character', /(?![\t\n\r])\p{Cc}/u],
]

function markup(text: string): Hidden[] {
  return unseen.flatMap(([what, form]): Hidden[] => {
    const [found] = form.exec(text) ?? []
    return found === undefined ? [] : [{ rule: 'hidden-markup', seen: `${what}: ${found.slice(0, 120)}` }]
  })
}

// Before it may stand `=`, as behind the name of a setting.
const base64 = /(?<![\w+/-])[A-Za-z0-9+/_-]{24,20000}={0,2}(?![\w+/=-])/g
const hex = /(?<![0-9A-Za-z])(?:[0-9a-f]{2}){16,10000}(?![0-9A-Za-z])/gi
const percent = /(?:%[0-9a-f]{2}[\w.~-]{0,40}){6,400}/gi

/** Texts within the text. */
function encoded(text: string): Hidden[] {
  const inner = [
    ...[...text.matchAll(base64)].map(([found]) => ({ how: 'base64', says: readable(found, 'base64') })),
    ...[...text.matchAll(hex)].map(([found]) => ({ how: 'hexadecimal', says: readable(found, 'hex') })),
    ...[...text.matchAll(percent)].map(([found]) => ({ how: 'percent-encoding', says: unescaped(found) })),
  ]
  return inner.flatMap(({ how, says }): Hidden[] => {
    if (says === null) return []
    const grave = saysIn(says).length > 0
    if (!grave && (says.match(/\p{L}{2,}/gu)?.length ?? 0) < 4) return []
    return [
      {
        rule: grave ? 'encoded-instruction' : 'encoded-text',
        seen: `${how} of ${JSON.stringify(says.slice(0, 150))}`,
      },
    ]
  })
}

function readable(written: string, encoding: 'base64' | 'hex'): string | null {
  const text = Buffer.from(written, encoding).toString('utf8')
  return /[\p{Cc}\p{Co}\uFFFD]/u.test(text.replaceAll(/\s/g, '')) ? null : text
}

function unescaped(written: string): string | null {
  try {
    return decodeURIComponent(written)
  } catch {
    return null
  }
}
