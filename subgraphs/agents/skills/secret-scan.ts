import { lintSource } from '@secretlint/core'
import { secretLintProfiler } from '@secretlint/profiler'
import { rules as libraryRules } from '@secretlint/secretlint-rule-preset-recommend'
import { z } from 'zod'
import { entropyBits } from './entropy.ts'
import { skill } from './skill.ts'

// It times each rule of each scan and keeps the times for ever: 25 KB a scan.
secretLintProfiler.setEnabled(false)

// A comment that switches a scanner off is for repositories that trust their authors; texts here are not trusted.
const providerRules = libraryRules.filter(({ meta }) => !meta.id.endsWith('-filter-comments'))

/** What the library's preset leaves out. Each begins where no other match of it could, so a scan is linear. */
const ownFormats: readonly [rule: string, format: RegExp][] = [
  ['aws-access-key-id', /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?<!EXAMPLE)(?![A-Za-z0-9])/g],
  ['google-api-key', /(?<![\w-])AIza[\w-]{35}(?![\w-])/g],
  ['stripe-live-key', /(?<!\w)[rs]k_live_[A-Za-z0-9]{20,200}(?!\w)/g],
  ['openai-key', /(?<![\w-])sk-(?:proj|svcacct|admin)-[\w-]{40,200}/g],
  ['slack-webhook', /https:\/\/hooks\.slack\.com\/services\/T\w{6,12}\/B\w{6,12}\/\w{24}/g],
  ['telegram-bot-token', /(?<!\w)\d{8,10}:AA[\w-]{33}(?![\w-])/g],
  [
    'private-key',
    /-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]){1,4}(?:[\w-]{1,40}: [^\n]{0,200}\n){0,4}[A-Za-z0-9+/=\s\\]{32,}(?:-----END [A-Z0-9 ]{0,40}-----)?/g,
  ],
  ['age-secret-key', /(?<!\w)AGE-SECRET-KEY-1[A-Z0-9]{58}(?!\w)/g],
]
const bearer: readonly [rule: string, format: RegExp][] = [
  ['json-web-token', /(?<![\w-])eyJ[\w-]{8,4000}\.eyJ[\w-]{8,8000}\.[\w-]{20,2000}/g],
  ['authorization-header', /(?<=(?<!\w)authorization:\s?(?:basic|bearer|token)\s)[\w.~+/=-]{16,4000}/gi],
]
const inUrl =
  /(?<![\w+.-])[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'<>]{0,100}:([^\s:@/"'<>{}$]{3,200})@[\w.-]{1,200}/gi
const assignment =
  /(?<![\w.-])([A-Za-z_][\w.-]{2,79})["'`]?[ \t]{0,4}(?:=>|:=|=|:)[ \t]{0,4}(?:"([^"\n]{8,200})"|'([^'\n]{8,200})'|`([^`\n]{8,200})`|([^\s"'`,;(){}[\]<>]{8,200}))/g
const secretName =
  /(?:password|passwd|pwd|passphrase|secret|token|apikey|accesskey|secretkey|privatekey|authkey|accountkey|credential|credentials)$/
const harmlessName = /csrf|xsrf|page|cursor|continuation|cancel|public|next|design|sync/
const placeholder =
  /example|changeme|change_me|placeholder|dummy|sample|redacted|replace|your[-_]|xxxx|\*{3}|\.{3}|^\$|^%|\{\{|\$\{|^<|process\.env|environ|getenv|secrets\.|^vault:|^file:|^op:\/\/|^sha\d{3}[-:]/i
const word = /(?<![\w+/=-])[\w+/-]{24,200}={0,2}(?![\w+/=-])/g

const detectorSchema = z.enum(['provider', 'bearer', 'assignment', 'high-entropy'])
const findingSchema = z.strictObject({
  rule: z.string().describe('Whose secret, or how it was told'),
  line: z.int().describe('From 1'),
  confidence: z
    .enum(['CERTAIN', 'LIKELY', 'POSSIBLE'])
    .describe('A format of its own, a name that says so, or chance alone'),
  excerpt: z.string().describe('Its first letters; never the whole'),
})
const verdictSchema = z.enum(['CLEAN', 'SUSPECT', 'SECRET'])
type Span = {
  rule: string
  start: number
  end: number
  confidence: z.output<typeof findingSchema>['confidence']
}

/** Credentials in a text: formats of providers (secretlint's rules and ours), telling assignments, Shannon entropy. */
export const secretScan = skill({
  name: 'secret-scan',
  configuration: z.strictObject({
    detect: z.array(detectorSchema).min(1).max(4),
    /** Bits per character from which an assigned value counts as random. */
    assignedBits: z.number().min(0).max(6),
    /** The same for a word that nothing else tells about. */
    bareBits: z.number().min(0).max(6),
  }),
  input: z.strictObject({
    text: z.string().max(50_000).describe('Source, configuration, log or message'),
  }),
  output: z.strictObject({
    verdict: verdictSchema.describe('SUSPECT where all that was found is only possible'),
    findings: z.array(findingSchema).describe('In the order of the text, at most 100'),
    redacted: z.string().describe('The text with each of them replaced'),
  }),
  async run({ text }, { detect, assignedBits, bareBits }) {
    const found: Span[] = []
    if (detect.includes('provider'))
      found.push(...(await provided(text)), ...formatted(text, ownFormats, 'CERTAIN'))
    if (detect.includes('bearer')) found.push(...formatted(text, bearer, 'LIKELY'))
    if (detect.includes('assignment')) found.push(...assigned(text, assignedBits), ...inUrls(text))
    if (detect.includes('high-entropy')) found.push(...random(text, bareBits))
    const spans = united(found)
    const sure = spans.some(({ confidence }) => confidence !== 'POSSIBLE')
    const verdict: z.output<typeof verdictSchema> = sure ? 'SECRET' : spans.length > 0 ? 'SUSPECT' : 'CLEAN'
    return {
      verdict,
      findings: located(text, spans).slice(0, 100),
      redacted: redact(text, spans),
    }
  },
})

async function provided(text: string): Promise<Span[]> {
  const { messages } = await lintSource({
    source: { filePath: 'text.txt', ext: '.txt', content: text, contentType: 'text' },
    options: {
      config: { rules: providerRules.map((rule) => ({ id: rule.meta.id, rule })) },
      noPhysicFilePath: true,
    },
  })
  return messages.map(({ ruleId, range: [start, end] }) => ({
    rule: ruleId.replace('@secretlint/secretlint-rule-', ''),
    start,
    // Some of the library's rules take the quotation mark behind a secret for a part of it.
    end: start + text.slice(start, end).replace(/["'`)\]},;]{1,4}$/, '').length,
    confidence: 'CERTAIN',
  }))
}

const formatted = (
  text: string,
  formats: readonly [string, RegExp][],
  confidence: Span['confidence'],
): Span[] =>
  formats.flatMap(([rule, format]) =>
    [...text.matchAll(format)].map(({ 0: match, index }) => ({
      rule,
      start: index,
      end: index + match.length,
      confidence,
    })),
  )

function assigned(text: string, bits: number): Span[] {
  return [...text.matchAll(assignment)].flatMap((match): Span[] => {
    const [whole, name, ...values] = match
    const value = values.find((one) => one !== undefined) ?? ''
    const plain = name!.toLowerCase().replaceAll(/[-_.]/g, '')
    if (!secretName.test(plain) || harmlessName.test(plain) || !randomLooking(value, bits)) return []
    const start = match.index + whole.lastIndexOf(value)
    // A call or a look-up, whose result nobody reads here.
    if (match[5] !== undefined && /[([]/.test(text[start + value.length] ?? '')) return []
    return [{ rule: 'assigned-secret', start, end: start + value.length, confidence: 'LIKELY' }]
  })
}

const inUrls = (text: string): Span[] =>
  [...text.matchAll(inUrl)]
    .filter(
      ({ 1: password }) =>
        !placeholder.test(password!) && !/^(?:pass(?:word|wd)?|pwd|secret|token)$/i.test(password!),
    )
    .map(({ 0: match, index }) => ({
      rule: 'password-in-url',
      start: index,
      end: index + match.length,
      confidence: 'LIKELY',
    }))

/** Words of a language, names of variables and placeholders are none. */
function randomLooking(value: string, bits: number): boolean {
  if (/\s/.test(value) || placeholder.test(value)) return false
  const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((one) => one.test(value)).length
  return (classes >= 3 || (classes === 2 && /\d/.test(value))) && entropyBits(value) >= bits
}

const random = (text: string, bits: number): Span[] =>
  [...text.matchAll(word)]
    .filter(
      ({ 0: match, index }) =>
        [/[a-z]/, /[A-Z]/, /\d.*\d/].every((one) => one.test(match)) &&
        !placeholder.test(match) &&
        lettersInWords(match) <= 0.3 &&
        // A path has a slash every few letters, a digest of subresource integrity says what it is.
        !(match.split('/').length > 3 && match.split('/').every((part) => part.length < 16)) &&
        !/sha\d{3}-$|base64,$/.test(text.slice(Math.max(0, index - 8), index)) &&
        entropyBits(match) >= bits,
    )
    .map(({ 0: match, index }) => ({
      rule: 'high-entropy',
      start: index,
      end: index + match.length,
      confidence: 'POSSIBLE',
    }))

/** Names of code are words run together; in a random key few small letters follow one another. */
const lettersInWords = (text: string) =>
  (text.match(/[a-z]{4,}/g) ?? []).reduce((letters, run) => letters + run.length, 0) / text.length

const rank = { CERTAIN: 0, LIKELY: 1, POSSIBLE: 2 }

/** Of spans that overlap one stays, as sure as the surest and as wide as all of them. */
function united(spans: Span[]): Span[] {
  const merged: Span[] = []
  for (const span of spans.toSorted((a, b) => a.start - b.start || rank[a.confidence] - rank[b.confidence])) {
    const last = merged.at(-1)
    if (!last || span.start >= last.end) {
      merged.push({ ...span })
      continue
    }
    last.end = Math.max(last.end, span.end)
    if (rank[span.confidence] < rank[last.confidence])
      Object.assign(last, { rule: span.rule, confidence: span.confidence })
  }
  return merged
}

function located(text: string, spans: Span[]): z.output<typeof findingSchema>[] {
  let line = 1
  let from = 0
  return spans.map(({ rule, start, end, confidence }) => {
    line += text.slice(from, start).split('\n').length - 1
    from = start
    const shown = Math.min(4, Math.floor((end - start) / 8))
    return {
      rule,
      line,
      confidence,
      excerpt: `${text.slice(start, start + shown)}… (${end - start} characters)`,
    }
  })
}

function redact(text: string, spans: Span[]): string {
  let from = 0
  const parts: string[] = []
  for (const { rule, start, end } of spans) {
    parts.push(text.slice(from, start), `[secret: ${rule}]`)
    from = end
  }
  return parts.join('') + text.slice(from)
}
