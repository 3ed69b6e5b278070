import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { skill } from './skill.ts'

const kindSchema = z.enum(['email', 'phone', 'iban', 'card', 'ip', 'us-ssn'])
type Kind = z.output<typeof kindSchema>
type Span = { kind: Kind; start: number; end: number; value: string }

/** What names or locates a person, replaced: by numbered placeholders that can be turned back, or by a coarser value. */
export const piiRedaction = skill({
  name: 'pii-redaction',
  configuration: z.strictObject({
    kinds: z.array(kindSchema).min(1).max(6),
    /** placeholder: as [EMAIL_1], with a key to turn it back. coarsen: for good, what statistics need stays. */
    style: z.enum(['placeholder', 'coarsen']),
  }),
  input: z.strictObject({
    text: z.string().max(50_000).describe('Message, document or log'),
  }),
  output: z.strictObject({
    text: z.string().describe('Without them'),
    replaced: z
      .array(
        z.strictObject({
          kind: kindSchema.describe('What it was'),
          by: z.string().describe('What stands there now'),
          value: z.string().nullable().describe('What stood there; null where it is not to be kept'),
          times: z.int().describe('How often'),
        }),
      )
      .describe('In the order of their first appearance'),
  }),
  run({ text }, { kinds, style }) {
    const spans = personal(text, kinds)
    const replaced = new Map<string, { kind: Kind; by: string; value: string | null; times: number }>()
    const numbers = new Map<Kind, number>()
    const parts: string[] = []
    let from = 0
    for (const { kind, start, end, value } of spans) {
      const id = `${kind} ${value}`
      const known = replaced.get(id)
      const by = known?.by ?? (style === 'coarsen' ? coarse[kind](value) : placeholder(kind, numbers, text))
      if (known) known.times++
      else replaced.set(id, { kind, by, value: style === 'placeholder' ? value : null, times: 1 })
      parts.push(text.slice(from, start), by)
      from = end
    }
    return { text: parts.join('') + text.slice(from), replaced: [...replaced.values()] }
  },
})

function placeholder(kind: Kind, numbers: Map<Kind, number>, text: string): string {
  const number = (numbers.get(kind) ?? 0) + 1
  numbers.set(kind, number)
  const name = `[${kind.toUpperCase()}_${number}]`
  // One that the text has already would be turned into somebody's address on the way back.
  return text.includes(name) ? placeholder(kind, numbers, text) : name
}

const coarse: Record<Kind, (value: string) => string> = {
  email: (value) => `…@${value.slice(value.indexOf('@') + 1)}`,
  phone: (value) => `${value.slice(0, 3)}…`,
  iban: (value) => `${value.slice(0, 2)}…`,
  card: (value) => `…${value.replaceAll(/\D/g, '').slice(-4)}`,
  ip: (value) => network(ipaddr.parse(value)),
  'us-ssn': () => '…',
}

/** The network that an internet provider gives to many: /24, or /48 in version 6. */
function network(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (address instanceof ipaddr.IPv4) return `${address.octets.slice(0, 3).join('.')}.0/24`
  if (address.isIPv4MappedAddress()) return network(address.toIPv4Address())
  return `${new ipaddr.IPv6([...address.parts.slice(0, 3), 0, 0, 0, 0, 0]).toString()}/48`
}

/** From left to right; of what overlaps, what begins first. */
function personal(text: string, kinds: readonly Kind[]): Span[] {
  const found = kinds
    .flatMap((kind) => finders[kind](text).map((span) => ({ kind, ...span })))
    .toSorted((a, b) => a.start - b.start || b.end - a.end)
  const kept: Span[] = []
  for (const span of found) if (span.start >= (kept.at(-1)?.end ?? 0)) kept.push(span)
  return kept
}

type Found = Omit<Span, 'kind'>

const matching =
  (pattern: RegExp, holds: (value: string, before: string) => boolean = () => true) =>
  (text: string): Found[] =>
    [...text.matchAll(pattern)]
      .map(({ 0: value, index }) => ({ value, start: index, end: index + value.length }))
      .filter(({ value, start }) => holds(value, text.slice(Math.max(0, start - 12), start)))

const finders: Record<Kind, (text: string) => Found[]> = {
  email: matching(
    /(?<![\w.!#$%&'*+/=?^{|}~-])[\w.!#$%&'*+/=?^{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![\w-])/g,
    (value) => !/@(?:[\w-]+\.)*example\.(?:com|org|net)$|^git@/i.test(value),
  ),
  /** International only: without a country a number may be anything. */
  phone: matching(
    /(?<![\w+])(?:\+|00)[1-9](?:[ ().-]{0,2}\d){7,14}(?![\w])/g,
    (value) => digitsOf(value).replace(/^00/, '').length <= 15,
  ),
  iban: ibansIn,
  card: matching(
    /(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w-]|\.\d)/g,
    (value) => networkOfCard(digitsOf(value)) && luhn(digitsOf(value)),
  ),
  ip: matching(
    /(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9a-f]{0,4}:)[0-9a-f:]{2,39}(?:\.\d{1,3}){0,3})(?![\w:]|\.\w)/gi,
    locates,
  ),
  'us-ssn': matching(/(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g),
}

const digitsOf = (value: string) => value.replaceAll(/\D/g, '')

/** Lengths as the networks issue them; a Luhn number of another kind is one in ten. */
const networkOfCard = (digits: string) =>
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01]|720)\d{12,13}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12})$/.test(
    digits,
  )

/** ISO/IEC 7812-1, annex B. */
function luhn(digits: string): boolean {
  let total = 0
  for (const [place, digit] of digits.split('').toReversed().entries()) {
    const value = Number(digit) * (place % 2 === 0 ? 1 : 2)
    total += value > 9 ? value - 9 : value
  }
  return total % 10 === 0
}

/** Loopback and nowhere locate nobody; four numbers behind a v are a version. */
function locates(value: string, before: string): boolean {
  if (!ipaddr.IPv4.isValidFourPartDecimal(value) && !ipaddr.IPv6.isValid(value)) return false
  // `a::b` is an address by its grammar and a name in many a language.
  if (value.includes(':') && (value.length < 6 || !/\d/.test(value))) return false
  if (/(?:\bv|version|release)[ :=]?$/i.test(before)) return false
  return !['loopback', 'unspecified', 'broadcast', 'reserved'].includes(ipaddr.parse(value).range())
}

/** How many characters an account number has, of the countries in the ISO 13616 register that are met most. */
const ibanLengths = new Map(
  (
    'AD24 AE23 AL28 AT20 BA20 BE16 BG22 BH22 BR29 CH21 CR22 CY28 CZ24 DE22 DK18 EE20 EG29 ES24 FI18 ' +
    'FO18 FR27 GB22 GE22 GI23 GL18 GR27 HR21 HU28 IE22 IL23 IS26 IT27 JO30 KW30 KZ20 LB28 LI21 LT20 ' +
    'LU20 LV21 MC27 MD24 ME22 MK19 MT31 NL18 NO15 PK24 PL28 PT25 QA29 RO24 RS22 SA24 SE24 SI19 SK24 ' +
    'SM27 TN24 TR26 UA29 VA22 XK20'
  )
    .split(' ')
    .map((one) => [one.slice(0, 2), Number(one.slice(2))] as const),
)

function ibansIn(text: string): Found[] {
  return [...text.matchAll(/(?<![A-Za-z0-9])[A-Z]{2}\d{2}/g)].flatMap(({ 0: head, index: start }) => {
    const length = ibanLengths.get(head.slice(0, 2)) ?? 0
    let letters = ''
    let end = start
    for (; letters.length < length && end < text.length; end++) {
      const letter = text[end]!
      if (/[A-Z0-9]/.test(letter)) letters += letter
      else if (letter !== ' ' || text[end - 1] === ' ') break
    }
    const whole = letters.length === length && !/[A-Za-z0-9]/.test(text[end] ?? '')
    return length > 0 && whole && mod97(letters) === 1 ? [{ start, end, value: letters }] : []
  })
}

/** ISO 7064, MOD 97-10, over the number with its head at the end and letters as 10 to 35. */
function mod97(iban: string): number {
  let rest = 0
  for (const letter of iban.slice(4) + iban.slice(0, 4))
    for (const digit of String(Number.parseInt(letter, 36))) rest = (rest * 10 + Number(digit)) % 97
  return rest
}
