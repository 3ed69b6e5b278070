import type { Weakness } from '../weakness.ts'
import { weakness } from './rules.ts'
import type { Text } from './texts.ts'

/** As their issuers shape them. Each begins where no other match of it could, so that reading is linear. */
const forms: readonly [issuer: string, form: RegExp][] = [
  ['AWS access key', /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])/g],
  ['GitHub token', /(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{60,255})/g],
  ['GitLab token', /(?<![\w-])gl(?:pat|oas|dt|rt|ptt|cbt|soat|ft|imt|agent)-[\w-]{20,255}/g],
  ['Slack token', /(?<![\w-])xox[abeoprs]-[A-Za-z0-9-]{10,255}|(?<![\w-])xapp-\d-[A-Za-z0-9-]{10,255}/g],
  ['Slack webhook', /https:\/\/hooks\.slack\.com\/(?:services|workflows)\/[A-Za-z0-9/]{20,100}/g],
  ['Google key', /(?<![\w-])(?:AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{20,500})/g],
  ['Stripe key', /(?<!\w)(?:[rs]k_(?:live|test)_[A-Za-z0-9]{20,255}|whsec_[A-Za-z0-9+/]{24,255})/g],
  ['Anthropic key', /(?<![\w-])sk-ant-[\w-]{20,255}/g],
  ['OpenAI key', /(?<![\w-])sk-(?!ant-)(?:(?:proj|svcacct|admin|None)-)?[A-Za-z0-9_-]{20,255}/g],
  ['npm token', /(?<!\w)npm_[A-Za-z0-9]{36}(?!\w)/g],
  ['PyPI token', /(?<![\w-])pypi-AgE[\w-]{50,500}/g],
  ['Hugging Face token', /(?<!\w)hf_[A-Za-z0-9]{30,60}(?!\w)/g],
  ['SendGrid key', /(?<![\w.])SG\.[\w-]{20,24}\.[\w-]{40,46}/g],
  ['DigitalOcean token', /(?<!\w)do[oprt]_v1_[a-f0-9]{64}/g],
  ['Vault token', /(?<![\w.])hv[sb]\.[\w-]{20,255}/g],
  ['Telegram token', /(?<!\w)\d{8,10}:AA[\w-]{33}(?![\w-])/g],
  ['age key', /(?<!\w)AGE-SECRET-KEY-1[A-Z0-9]{58}/g],
  [
    'private key',
    /-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]){0,4}[A-Za-z0-9+/=\\\s]{16,200}/g,
  ],
  ['JSON Web Token', /(?<![\w-])eyJ[\w-]{8,4000}\.eyJ[\w-]{8,8000}\.[\w-]{20,2000}/g],
  [
    'password in a URL',
    /(?<![\w+.-])[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'<>]{0,100}:[^\s:@/"'<>{}$]{3,200}@[\w.-]{1,200}/gi,
  ],
  [
    'authorization header',
    /(?<=(?<!\w)authorization["']?\s?[:=]\s?["']?(?:basic|bearer|token)\s)[\w.~+/=-]{16,4000}/gi,
  ],
]

const assigned =
  /(?<![\w.-])([A-Za-z_][\w.-]{2,79})["'`]?[ \t]{0,4}(?:=>|:=|=|:)[ \t]{0,4}["'`]?([^\s"'`,;(){}[\]<>]{8,200})/g
const secretName =
  /(?:password|passwd|pwd|passphrase|secret|token|apikey|accesskey|secretkey|privatekey|authkey|accountkey|credentials?)$/
const harmlessName = /csrf|xsrf|page|cursor|continuation|cancel|public|next|design|sync|count|max|min/
const placeholder =
  /example|change_?me|placeholder|dummy|sample|redacted|replace|your[-_ ]|xxxx|\*{3}|\.{3}|^\$|^%|\{\{|\$\{|^<|process\.env|environ|getenv|secrets\.|^vault:|^file:|^op:\/\/|^sha\d{3}[-:]|1234567890|0123456789|abcdefgh/i
const minBits = 3
const minLength = 12

/** Secrets in clear, shown by four characters and a length. `speaksOfSecrets`: that an example holds one is its business. */
export function secretsIn(texts: readonly Text[], speaksOfSecrets: boolean): Weakness[] {
  const named = nameOf(texts)
  return texts.flatMap((text) => {
    const rule = text.isExample && speaksOfSecrets ? 'secret-in-example' : 'embedded-secret'
    const found = new Map(secretsOf(text, named).map(({ what, value }) => [value, what]))
    return [...found].map(([value, what]) => weakness(rule, redacted(text.at), `${what}: ${masked(value)}`))
  })
}

/** The texts without their secrets: what is told of them shows none. */
export function withoutSecrets(texts: readonly Text[]): Text[] {
  const named = nameOf(texts)
  return texts.map((text) => {
    const hidden = secretsOf(text, named).reduce(
      (all, { value }) => all.replaceAll(value, masked(value)),
      text.text,
    )
    return { ...text, at: redacted(text.at), text: hidden }
  })
}

/** Names of fields are short, but for those that are secrets. */
const redacted = (at: string): string =>
  (/[^/]{16}/.test(at) ? ofForm(at) : []).reduce((all, { value }) => all.replaceAll(value, masked(value)), at)

const secretsOf = (text: Text, named: (at: string) => string): Secret[] => [
  ...ofForm(text.text),
  ...ofName(text, named),
]

type Secret = { what: string; value: string }

const ofForm = (text: string): Secret[] =>
  (text.length < minLength ? [] : forms).flatMap(([what, form]) =>
    [...text.matchAll(form)]
      .map(([value]) => ({ what, value }))
      .filter(({ value }) => !isPlaceholder(what === 'password in a URL' ? passwordOf(value) : value)),
  )

const passwordOf = (url: string) =>
  url.slice(url.indexOf(':', url.indexOf('://') + 3) + 1, url.lastIndexOf('@'))

/** A placeholder says so, or has hardly any characters of its own. */
const isPlaceholder = (value: string) =>
  placeholder.test(value) || /^(?:pass(?:word|wd)?|pwd|secret|token)$/i.test(value) || new Set(value).size < 3

/** What stands behind a name that says it is secret, as a field of its own or within a text. */
function ofName({ at, text }: Text, named: (at: string) => string): Secret[] {
  const found: Secret[] = []
  const name = named(at)
  if (text !== name && isSecretName(name) && looksRandom(text)) found.push({ what: name, value: text })
  for (const [, before = '', value = ''] of text.matchAll(assigned))
    if (isSecretName(before) && looksRandom(value)) found.push({ what: before, value })
  return found
}

const isSecretName = (name: string) => {
  const plain = name.toLowerCase().replaceAll(/[-_.\s]/g, '')
  return secretName.test(plain) && !harmlessName.test(plain)
}

/** The name that a value goes by: its field, the property whose default it is, or `name` beside a `value`. */
function nameOf(texts: readonly Text[]): (at: string) => string {
  const byPointer = new Map(texts.map(({ at, text }) => [at, text]))
  return (at) => {
    const steps = at.split('/')
    while (/^(?:default|const|example|examples|enum|\d+)$/.test(steps.at(-1) ?? '') && steps.length > 2)
      steps.pop()
    const last = steps.at(-1) ?? ''
    return (last === 'value' ? byPointer.get([...steps.slice(0, -1), 'name'].join('/')) : undefined) ?? last
  }
}

/** Words of a language, names of variables and placeholders are none. */
function looksRandom(value: string): boolean {
  if (value.length < 8 || value.length > 4_000 || /\s/.test(value) || isPlaceholder(value)) return false
  const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((one) => one.test(value)).length
  return (classes >= 3 || (classes === 2 && /\d/.test(value))) && entropyBits(value) >= minBits
}

/** Shannon's entropy, in bits per character. */
function entropyBits(text: string): number {
  const characters = Array.from(text)
  const counts = Map.groupBy(characters, (one) => one)
  return [...counts.values()].reduce((bits, { length }) => {
    const share = length / characters.length
    return bits - share * Math.log2(share)
  }, 0)
}

const masked = (value: string) => `${value.slice(0, 4)}… (${value.length} characters)`
