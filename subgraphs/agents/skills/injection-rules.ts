import { mixesScripts, plainCharacter } from './confusables.ts'

type InjectionFamily = 'override' | 'role' | 'delimiter' | 'hidden' | 'encoded' | 'exfiltration'
export type Injection = {
  rule: string
  family: InjectionFamily
  /** How much it tells by itself, 0 to 1. */
  weight: number
  /** In UTF-16 code units of the text as given. */
  start: number
  end: number
  /** Named in quotation marks or as code: perhaps spoken of and not said. */
  quoted: boolean
}

type Rule = { rule: string; family: InjectionFamily; weight: number; pattern: RegExp }

const rule = (name: string, weight: number, pattern: RegExp): Rule => ({
  rule: name,
  family: name.slice(0, name.indexOf('.')) as InjectionFamily,
  weight,
  pattern,
})

/**
 * Read over plain text: invisible characters gone, look-alikes Latin, lower case, white space single. So `\s` is one
 * character, words between are counted, and no pattern can be made to backtrack beyond a constant.
 */
const rules: readonly Rule[] = [
  rule(
    'override.ignore',
    0.8,
    /(?<!(?:not|n't|n’t|never|without)\s)\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget)(?:\s\S{1,20}){0,4}?\s(?:previous|prior|above|earlier|preceding|foregoing|initial|original|system|your|all|any)(?:\s\S{1,20}){0,3}?\s(?:instructions?|prompts?|directives?|guidelines?|guardrails?|rules|programming|training|commands)\b/g,
  ),
  rule(
    'override.forget-everything',
    0.7,
    /(?<!(?:not|n't|n’t|never|without)\s)\b(?:ignore|disregard|forget)\s(?:everything|all)(?:\s\S{1,20}){0,3}?\s(?:above|before|previously|were\stold|been\stold|said\sbefore)\b|\b(?:ignore|disregard|forget)\swhat\scame\sbefore\b|\b(?:ignore|disregard|forget)(?:\sall|\sthe|\syour)?\s(?:previous|prior|above|earlier)\scontext\b/g,
  ),
  rule(
    'override.safety',
    0.8,
    /\b(?:bypass|override|disable|circumvent|turn\soff)(?:\sall)?(?:\sof)?\s(?:your|the\ssystem|system)(?:\s(?:own|core|safety|content|ethical|internal|built-in|system)){0,2}\s(?:instructions?|prompt|guidelines?|guardrails?|safety|filters?|restrictions?|policies)\b/g,
  ),
  rule(
    'override.other-languages',
    0.8,
    /\b(?:ignorez?|oubliez?)(?:\s\S{1,20}){0,3}?\s(?:instructions?|consignes)\s(?:précédentes?|antérieures?|ci-dessus)|\b(?:ignoriere?n?|vergiss|missachte)(?:\s\S{1,20}){0,3}?\s(?:vorherigen|bisherigen|obigen|früheren)\s(?:anweisungen|instruktionen|befehle|regeln)|\b(?:ignora|olvida|ignore)(?:\s\S{1,20}){0,3}?\s(?:instrucciones|instruções|istruzioni)\s(?:anteriores|previas|precedenti)/g,
  ),
  rule(
    'override.secrecy',
    0.6,
    /\b(?:do\snot|don't|don’t|never|without)\s(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|notify(?:ing)?|alert(?:ing)?|reveal(?:ing)?|disclos(?:e|ing))(?:\s(?:this|it|any\sof\sthis|that))?(?:\sto)?\s(?:the|your|any)\s(?:user|human|operator|owner)s?\b/g,
  ),
  rule(
    'override.new-instructions',
    0.45,
    /\b(?:new|updated|real|actual|true|important)\s(?:system\s)?(?:instructions?|prompt|directives?)(?:\s\S{1,15}){0,3}?\s?:/g,
  ),
  rule(
    'override.instead',
    0.45,
    /\b(?:your|the)\s(?:new|real|actual|true|only)\s(?:task|goal|job|objective|purpose|mission|instructions?)\s(?:is|are)\b/g,
  ),
  rule('override.from-now-on', 0.4, /\bfrom\snow\son,?\s(?:you|act|answer|respond|ignore|always)\b/g),
  rule(
    'role.unbound-persona',
    0.8,
    /\b(?:you\sare\snow|you're\snow|act\sas|pretend|role-?play\sas|behave\sas|simulate)(?:\s\S{1,20}){0,6}?\s(?:dan|jailbroken|unrestricted|unfiltered|uncensored|amoral|without\s(?:any\s)?(?:restrictions?|limits?|rules|filters?|guidelines)|no\s(?:restrictions?|limits?|rules|filters?|guidelines))\b/g,
  ),
  rule(
    'role.mode',
    0.7,
    /\b(?:dan|god|jailbreak|unrestricted|sudo|unfiltered)\smode\b|\byou\sare\s(?:now\s)?in\s(?:developer|debug|admin|maintenance|root)\smode\b/g,
  ),
  rule(
    'role.authority',
    0.45,
    /\b(?:i\sam|this\sis|message\sfrom|on\sbehalf\sof)\s(?:your|the)\s(?:developers?|creators?|(?:system\s)?administrators?|ai\sprovider)\b/g,
  ),
  rule(
    'delimiter.chat-template',
    0.8,
    /<\|(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id|begin_of_text)\|>|<\/?(?:start|end)_of_turn>|\[\/?inst\]|<<\/?sys>>/g,
  ),
  rule(
    'delimiter.turn',
    0.45,
    /(?:^|\n)\s?(?:#{1,6}\s?)?(?:system|assistant|developer)(?:\s(?:prompt|message|override))?\s?:/g,
  ),
  rule(
    'delimiter.turn-order',
    0.6,
    /(?:^|\n)\s?(?:#{1,6}\s?)?(?:system|assistant|developer)(?:\s(?:prompt|message|override))?\s?:\s?(?:you\s(?:must|are|will|should)|ignore|always|never|from\snow)\b/g,
  ),
  rule(
    'delimiter.closing-tag',
    0.55,
    /<\/(?:system|instructions?|prompt|context|user_?input|untrusted\S{0,20}|tool_?result|function_?results?)>/g,
  ),
  rule('delimiter.imperative-tag', 0.4, /<(?:important|system|secret|admin|critical|hidden)>/g),
  rule(
    'exfiltration.prompt',
    0.7,
    /\b(?:reveal|print|show|repeat|output|display|leak|tell\sme|give\sme|dump|disclose)(?:\s\S{1,15}){0,3}?\s(?:system|hidden|secret|developer|your\s(?:initial|original|exact|full))\s(?:prompt|instructions?|message)\b|\b(?:repeat|print|output)(?:\s(?:all|the|every|of)){0,2}\s(?:text|words?|everything)\sabove\b/g,
  ),
  rule(
    'exfiltration.send',
    0.8,
    /\b(?:send|post|upload|forward|exfiltrate|e-?mail|transmit|append|encode)(?:\s\S{1,20}){0,6}?\s(?:conversation|history|credentials?|keys?|passwords?|secrets?|tokens?|prompt|variables|\.env)(?:\s\S{1,20}){0,5}?\s(?:to|at|into)\s(?:https?:|\S{1,60}@|\S{0,60}webhook|(?:my|this)\s(?:server|endpoint|address))/g,
  ),
  rule(
    'exfiltration.image-link',
    0.8,
    /!\[[^\]\n]{0,80}\]\(https?:\/\/[^\s)?]{1,200}\?[^\s)=]{1,40}=(?:[{[<$]|%7b|[^\s)]{0,40}(?:conversation|history|secret|summary|prompt|data_here))/g,
  ),
]

/** Instructions that a text tries to give to who reads it, in its order. */
export function injectionsIn(text: string): Injection[] {
  const plain = plainOf(text)
  return [...spoken(text, plain, rules), ...hidden(text), ...encoded(text)].toSorted(
    (a, b) => a.start - b.start || b.weight - a.weight,
  )
}

/** Of independent signs: 1 - Π (1 - weight), each rule counted once. */
export function injectionScore(found: readonly Injection[]): number {
  const strongest = new Map<string, number>()
  for (const { rule: name, weight } of found) strongest.set(name, Math.max(weight, strongest.get(name) ?? 0))
  return 1 - [...strongest.values()].reduce((rest, weight) => rest * (1 - weight), 1)
}

type Plain = { text: string; from: number[] }

const invisible = /\p{Default_Ignorable_Code_Point}/u

/** What a reader sees, and where in the text each of its characters stands. */
function plainOf(text: string): Plain {
  const units: string[] = []
  const from: number[] = []
  let index = 0
  for (const character of text) {
    const seen = invisible.test(character)
      ? ''
      : /\s/.test(character)
        ? blank(character)
        : plainCharacter(character)
    const last = units.at(-1)
    if (seen.trim() === '' && seen !== '' && (last === ' ' || last === '\n')) {
      if (seen === '\n') units[units.length - 1] = '\n'
    } else
      for (const unit of seen.split('')) {
        units.push(unit)
        from.push(index)
      }
    index += character.length
  }
  from.push(index)
  return { text: units.join(''), from }
}

const blank = (character: string) => (/[\n\r\u2028\u2029]/.test(character) ? '\n' : ' ')

function spoken(text: string, plain: Plain, among: readonly Rule[]): Injection[] {
  return among.flatMap(({ rule: name, family, weight, pattern }) =>
    [...plain.text.matchAll(pattern)].map(({ 0: match, index }) => {
      const start = plain.from[index]!
      const end = plain.from[index + match.length]!
      return { rule: name, family, weight, start, end, quoted: isQuoted(text, start, end) }
    }),
  )
}

const quotes: readonly [string, string][] = [
  ['"', '"'],
  ['“', '”'],
  ['„', '“'],
  ['«', '»'],
  ['`', '`'],
  ['‘', '’'],
]

/** Within one line, a mark before and its partner after, with no more than a sentence between. */
function isQuoted(text: string, start: number, end: number): boolean {
  const before = text
    .slice(Math.max(0, start - 80), start)
    .split('\n')
    .at(-1)!
  const after = text.slice(end, end + 80).split('\n', 1)[0]!
  return quotes.some(([open, close]) => {
    const opens = before.split(open).length - 1
    const closes = open === close ? 0 : before.split(close).length - 1
    return (open === close ? opens % 2 === 1 : opens > closes) && after.includes(close)
  })
}

const tags = /[\u{E0020}-\u{E007E}]{2,}/gu
const selectors = /\p{Variation_Selector}{3,}/gu
const zeroWidth = /[\u200B-\u200D\u2060\uFEFF]{1,}/g
const overrides = /[\u202A-\u202E\u2066-\u2069]/g
const words = /[\p{L}\p{M}]{3,60}/gu

/** What is in a text and not on its page. */
function hidden(text: string): Injection[] {
  const found: Injection[] = []
  const add = (name: string, weight: number, start: number, length: number) =>
    found.push({ rule: name, family: 'hidden', weight, start, end: start + length, quoted: false })
  for (const { 0: run, index } of text.matchAll(tags)) {
    // A flag of a region, as Scotland's, is a black flag with tags behind it.
    if (text.slice(0, index).endsWith('\u{1F3F4}')) continue
    add('hidden.tag-characters', 0.9, index, run.length)
  }
  for (const { 0: run, index } of text.matchAll(selectors))
    add('hidden.variation-selectors', 0.8, index, run.length)
  for (const { 0: run, index } of text.matchAll(zeroWidth)) {
    // Joiners belong to emoji and to scripts that join; between Latin letters they only break words for filters.
    const inWord = latin.test(text[index - 1] ?? '') && latin.test(text[index + run.length] ?? '')
    if (run.length >= 4) add('hidden.zero-width-run', 0.8, index, run.length)
    else if (inWord) add('hidden.zero-width', 0.5, index, run.length)
  }
  const rightToLeft = /\p{Script=Arabic}|\p{Script=Hebrew}/u.test(text)
  for (const { 0: mark, index } of text.matchAll(overrides))
    if (!rightToLeft || mark === '\u202D' || mark === '\u202E') add('hidden.bidi-override', 0.6, index, 1)
  for (const { 0: word, index } of text.matchAll(words))
    if (mixesScripts(word)) add('hidden.mixed-scripts', 0.4, index, word.length)
  return found
}

const latin = /^\p{Script=Latin}$/u
const base64 = /(?<![\w+/-])[A-Za-z0-9+/_-]{24,20000}={0,2}/g
const hex = /(?<![0-9A-Za-z])(?:[0-9a-f]{2}){16,10000}(?![0-9A-Za-z])/gi
const percent = /(?:%[0-9a-f]{2}[\w.~-]{0,40}){6,400}/gi

/** Texts within the text that say such things once decoded. */
function encoded(text: string): Injection[] {
  const inner = [
    ...[...text.matchAll(base64)].map((match) => ({
      match,
      rule: 'encoded.base64',
      says: fromBytes(match[0], 'base64'),
    })),
    ...[...text.matchAll(hex)].map((match) => ({
      match,
      rule: 'encoded.hex',
      says: fromBytes(match[0], 'hex'),
    })),
    ...[...text.matchAll(percent)].map((match) => ({
      match,
      rule: 'encoded.percent',
      says: fromPercent(match[0]),
    })),
    ...[...text.matchAll(tags)].map((match) => ({
      match,
      rule: 'encoded.tag-characters',
      says: String.fromCodePoint(
        ...Array.from(match[0].slice(0, 4000), (one) => one.codePointAt(0)! - 0xe0000),
      ),
    })),
  ]
  const found = inner
    .filter(
      ({ says }) => says !== null && spoken(says, plainOf(says), rules).some(({ weight }) => weight >= 0.5),
    )
    .map(({ match, rule: name }): Injection => {
      const [start, end] = [match.index, match.index + match[0].length]
      return { rule: name, family: 'encoded', weight: 0.9, start, end, quoted: false }
    })
  const turned = text.replaceAll(/[a-z]/gi, (letter) => rotated(letter))
  for (const one of spoken(turned, plainOf(turned), rules))
    if (one.weight >= 0.7 && one.family !== 'delimiter')
      found.push({ ...one, rule: 'encoded.rot13', family: 'encoded', weight: 0.8 })
  return found
}

function fromBytes(written: string, encoding: 'base64' | 'hex'): string | null {
  const text = Buffer.from(written, encoding).toString('utf8')
  return /[\p{Cc}\uFFFD]/u.test(text.replaceAll(/\s/g, '')) ? null : text
}

function fromPercent(written: string): string | null {
  try {
    return decodeURIComponent(written)
  } catch {
    return null
  }
}

function rotated(letter: string): string {
  const base = letter <= 'Z' ? 65 : 97
  return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base)
}
