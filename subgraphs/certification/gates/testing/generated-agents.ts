import { cleanManifest, sbomWith, type TestManifest } from './manifest.ts'
import { type Random, seeded } from './random.ts'
import type { Behaviour } from './serve-agent.ts'
import {
  brokenLicences,
  concealments,
  exfiltrations,
  innocent,
  overrides,
  powerfulInputs,
  priorities,
  smuggled,
  trades,
  whispers,
} from './words.ts'

export type GeneratedAgent = {
  manifest: TestManifest
  behaviour: Behaviour
  /** What is wrong with it, and the words of it; null: nothing is. */
  fault: { kind: string; words: string } | null
}

type Fault = (agent: GeneratedAgent, random: Random) => string

/** As many agents as are asked for, a third of them without a fault; the same for the same seed. */
export const generatedAgents = (seed: number, count: number): GeneratedAgent[] =>
  Array.from({ length: count }, (_, index) => {
    const random = seeded(seed, index)
    const [trade, description, input] = random.one(trades)
    const manifest = cleanManifest(`${trade}-${index}`, description, input)
    manifest.metadata.description += ` ${random.one(innocent)}`
    manifest.spec.role += ` ${random.one(innocent)}`
    manifest.spec.sbom = sbomWith([
      { name: 'left-shelf', version: `2.${4 + random.whole(5)}.1` },
      { name: 'quiet-logger', version: '1.0.0' },
    ])
    if (random.whole(2) === 0) takeUrl(manifest)
    const agent: GeneratedAgent = { manifest, behaviour: 'refuses inner addresses', fault: null }
    if (random.whole(3) === 0) return agent
    const kind = random.one(Object.keys(faults))
    agent.fault = { kind, words: faults[kind]!(agent, random) }
    return agent
  })

const said =
  (sentences: readonly string[]): Fault =>
  ({ manifest }, random) =>
    write(manifest, random, random.one(sentences))

const faults: Record<string, Fault> = {
  override: said(overrides),
  concealment: said(concealments),
  priority: said(priorities),
  exfiltration: said(exfiltrations),
  secret: ({ manifest }, random) => {
    const { where, text } = random.one(secrets)(random)
    if (where === 'configuration')
      manifest.spec.configuration = { [random.one(['store', 'mail'])]: JSON.parse(text) }
    else write(manifest, random, text)
    return text
  },
  encoded: ({ manifest }, random) => {
    const bytes = Buffer.from(random.one(smuggled))
    const text = random.one([bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex')])
    return write(
      manifest,
      random,
      random.one([`Checksum: ${text}`, `config=${text}`, `Decode this and do it: ${text}`]),
    )
  },
  unseen: ({ manifest }, random) => write(manifest, random, random.one(disguises)(random.one(whispers))),
  'look-alikes': ({ manifest }, random) => {
    const { metadata } = manifest
    const words = metadata.description
      .split(' ')
      .filter((word) => /^[a-z]*[aeopc][a-z]*[aeopc][a-z]*$/.test(word))
    const word = random.one(words)
    const [from, to] = random.one(['aа', 'eе', 'oо', 'pр', 'cс'].filter(([latin]) => word.includes(latin!)))
    const changed = word.replace(from!, to!)
    metadata.description = metadata.description.replace(word, changed)
    return changed
  },
  power: ({ manifest }, random) => {
    const name = random.one(powerfulInputs)
    manifest.spec.capabilities[0]!.input.properties[name] = { type: 'string', maxLength: 4_000 }
    return name
  },
  licence: ({ manifest }, random) => {
    manifest.metadata.license = random.one(brokenLicences)
    return manifest.metadata.license
  },
  'vulnerable component': ({ manifest }, random) => {
    const component = random.one([
      { name: 'left-shelf', version: `2.${random.whole(4)}.${random.whole(9)}` },
      { name: 'rope-parser', version: `1.${random.whole(9)}.0` },
      { name: 'lodahs', version: '1.0.0' },
      { name: 'snake-charmer', version: random.one(['0.9', '1.0rc1', '1.0b3']), ecosystem: 'pypi' },
    ])
    manifest.spec.sbom = sbomWith([{ name: 'tidy-date', version: '3.1.4' }, component])
    return `${component.name}@${component.version}`
  },
  'denied component': ({ manifest }, random) => {
    const license = random.one(['AGPL-3.0-only', 'SSPL-1.0', 'BUSL-1.1', 'CC-BY-NC-4.0'])
    manifest.spec.sbom = sbomWith([{ name: 'tidy-date', version: '3.1.4', license }])
    return license
  },
  address: (agent, random) => {
    takeUrl(agent.manifest)
    agent.behaviour = random.one(['fetches what it is given', 'fetches it later', 'tells metadata'])
    return agent.behaviour
  },
  behaviour: (agent, random) => {
    agent.behaviour = random.one([
      ...(['redirects to itself', 'redirects to another host', 'redirects to metadata'] as const),
      ...(['answers without end', 'never answers', 'lets any origin in'] as const),
    ])
    return agent.behaviour
  },
}

/** Somewhere that a model reads; what is written, and where. */
function write({ metadata, spec }: TestManifest, random: Random, text: string): string {
  const [capability] = spec.capabilities
  const [first] = Object.values(capability!.input.properties)
  const places: Record<string, () => void> = {
    description: () => {
      metadata.description += ` ${text}`
    },
    role: () => {
      spec.role = `${text} ${spec.role}`
    },
    capability: () => {
      capability!.description += `\n\n${text}`
    },
    input: () => {
      first!.description = `What it is about. ${text}`
    },
    default: () => {
      first!.default = text
    },
    example: () => {
      capability!.examples[1]!.description = text
    },
    request: () => {
      const [name] = Object.keys(capability!.input.properties)
      capability!.examples[2]!.input[name!] = text
    },
  }
  const place = random.one(Object.keys(places))
  places[place]!()
  return `${text} (${place})`
}

function takeUrl({ spec }: TestManifest): void {
  const [capability] = spec.capabilities
  capability!.input.properties.url = { type: 'string', maxLength: 2_000, pattern: '^https://' }
  for (const example of capability!.examples) example.input.url = 'https://pages.example/today'
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const digits = '0123456789'
const some = `${letters}${digits}`
const hex = `${digits}abcdef`

type Leak = (random: Random) => { where: 'text' | 'configuration'; text: string }
const inText = (prefix: string, alphabet: string, length: number): Leak => {
  return (random) => ({
    where: 'text',
    text: `${random.one(['Log in with ', 'key: ', 'It uses ', ''])}${prefix}${random.text(alphabet, length)}`,
  })
}
const assigned: Leak = (random) => ({
  where: 'configuration',
  text: JSON.stringify({
    [random.one(['password', 'apiKey', 'auth_token', 'clientSecret', 'SMTP_PASSWORD'])]: random.text(
      `${some}-+!`,
      16 + random.whole(12),
    ),
  }),
})

/** Each as its issuer shapes it. */
const secrets: readonly Leak[] = [
  inText('AKIA', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 16),
  inText('ghp_', some, 36),
  inText('github_pat_', some, 82),
  inText('glpat-', some, 20),
  inText('xoxb-', `${digits}${letters}`, 40),
  inText('AIza', `${some}-_`, 35),
  inText('sk_live_', some, 24),
  inText('sk-ant-api03-', `${some}-_`, 93),
  inText('sk-proj-', some, 48),
  inText('npm_', some, 36),
  inText('hf_', letters, 34),
  inText('dop_v1_', hex, 64),
  (random) => ({
    where: 'text',
    text: `-----BEGIN EC PRIVATE KEY-----\n${random.text(some, 64)}\n${random.text(some, 40)}==\n-----END EC PRIVATE KEY-----`,
  }),
  (random) => ({
    where: 'text',
    text: `eyJ${random.text(some, 30)}.eyJ${random.text(some, 60)}.${random.text(`${some}-_`, 43)}`,
  }),
  (random) => ({
    where: 'text',
    text: `postgres://reader:${random.text(some, 14)}@db.harvest.test:5432/main`,
  }),
  assigned,
  assigned,
]

const disguises: readonly ((text: string) => string)[] = [
  (text) => Array.from(text, (one) => String.fromCodePoint(0xe0000 + one.codePointAt(0)!)).join(''),
  (text) => Array.from(text).join('\u200b'),
  (text) =>
    `Good for travellers.${Array.from(text, (one) => String.fromCodePoint(0xe0100 + one.codePointAt(0)!)).join('')}`,
  (text) => `\u202e${Array.from(text).toReversed().join('')}\u202c`,
  (text) => `<span style="display:none">${text}</span>`,
  (text) => `<!-- ${text} -->`,
  (text) => `\n[//]: # (${text})`,
  (text) => `<p style="color:#ffffff; font-size:1px">${text}</p>`,
  (text) => `<font size="0">${text}</font>`,
  (text) => `<div class="sr-only" hidden>${text}</div>`,
]
