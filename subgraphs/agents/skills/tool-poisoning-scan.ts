import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { z } from 'zod'
import { mixesScripts, skeleton } from './confusables.ts'
import { injectionScore, injectionsIn } from './injection-rules.ts'
import { skill } from './skill.ts'

const toolSchema = z.strictObject({
  name: z.string().min(1).max(128).describe('As the server lists it'),
  description: z.string().max(8000).describe('What the model reads'),
  inputSchema: z.record(z.string(), z.unknown()).optional().describe('JSON Schema of its arguments'),
})
type Tool = z.output<typeof toolSchema>
type Finding = { rule: string; at: string; detail: string; weight: number }

const sensitivePath =
  /(?:~|\$home|\/root|\/home\/[\w.-]{1,40})\/\.(?:ssh|aws|gnupg|cursor|config|kube|docker|npmrc|netrc)|\bid_(?:rsa|ed25519)\b|\/etc\/(?:passwd|shadow)|(?<![\w.])\.env\b|\bmcp\.json\b/i
const sideChannel =
  /\b(?:conversation|chat\shistory|system\sprompt|previous\smessages|full\scontext|reasoning|environment\svariables)\b/i
const crossing = /\b(?:before|after|instead\sof|prior\sto|whenever|when(?:ever)?\syou|must|always|first)\b/i

/** What is wrong with an MCP server's tools: hidden instructions, shadowed names, side channels, changes since they were pinned. */
export const toolPoisoningScan = skill({
  name: 'tool-poisoning-scan',
  configuration: z.strictObject({
    /** Names of tools that others may not take or imitate. */
    reserved: z.array(z.string().min(1).max(128)).max(200),
    suspectAt: z.number().min(0).max(1),
    poisonedAt: z.number().min(0).max(1),
  }),
  input: z.strictObject({
    tools: z.array(toolSchema).min(1).max(50).describe('What a server answers to tools/list'),
    pinned: z
      .record(z.string().max(128), z.string().regex(/^[0-9a-f]{64}$/))
      .optional()
      .describe('Digests that were approved, by name'),
  }),
  output: z.strictObject({
    verdict: z.enum(['TRUSTED', 'SUSPECT', 'POISONED']).describe('The worst of the tools'),
    tools: z
      .array(
        z.strictObject({
          name: z.string().describe('As given'),
          verdict: z.enum(['TRUSTED', 'SUSPECT', 'POISONED']).describe('By its findings'),
          digest: z.string().describe('SHA-256 over the canonical JSON (RFC 8785) of the tool: what to pin'),
          findings: z
            .array(
              z.strictObject({
                rule: z.string().describe('What kind of thing'),
                at: z.string().describe('JSON pointer within the tool'),
                detail: z.string().describe('In words'),
              }),
            )
            .describe('At most 20'),
        }),
      )
      .describe('In the order given'),
  }),
  run({ tools, pinned }, { reserved, suspectAt, poisonedAt }) {
    const looks = new Map(
      [...reserved, ...tools.map(({ name }) => name)].map((name) => [name, skeleton(name)]),
    )
    const answers = tools.map((tool, index) => {
      const digest = digestOf(tool)
      const others = tools.filter((_, other) => other !== index).map(({ name }) => name)
      const found = [
        ...namedWrong(tool.name, others, reserved, looks),
        ...textsOf(tool).flatMap(({ at, text }) => saidWrong(at, text, others)),
        ...(pinned ? changed(tool.name, digest, pinned) : []),
      ]
      const score = 1 - found.reduce((rest, { weight }) => rest * (1 - weight), 1)
      return {
        name: tool.name,
        verdict: verdicts[score >= poisonedAt ? 2 : score >= suspectAt ? 1 : 0],
        digest,
        findings: found.slice(0, 20).map(({ rule, at, detail }) => ({ rule, at, detail })),
      }
    })
    return {
      verdict: verdicts.findLast((one) => answers.some(({ verdict }) => verdict === one))!,
      tools: answers,
    }
  },
})

const verdicts = ['TRUSTED', 'SUSPECT', 'POISONED'] as const

const digestOf = (tool: Tool) =>
  createHash('sha256')
    .update(canonicalize(tool) ?? '')
    .digest('hex')

function namedWrong(
  name: string,
  others: readonly string[],
  reserved: readonly string[],
  looks: ReadonlyMap<string, string>,
): Finding[] {
  const found: Finding[] = []
  const say = (rule: string, weight: number, detail: string) =>
    found.push({ rule, at: '/name', detail, weight })
  if (mixesScripts(name))
    say('mixed-scripts', 0.7, 'The name mixes scripts that no language writes together.')
  if (!/^[\x21-\x7e]+$/.test(name)) say('not-ascii', 0.3, 'The name has blanks or characters beyond ASCII.')
  for (const other of new Set([...reserved, ...others])) {
    const taken = other === name
    if (taken && reserved.includes(name)) say('shadows-reserved', 0.7, `${other} is another server’s tool.`)
    else if (taken) say('duplicate-name', 0.5, 'Two tools have this name.')
    else if (looks.get(other) === looks.get(name))
      say('look-alike', 0.7, `A reader can’t tell it from ${other}.`)
  }
  return found
}

function saidWrong(at: string, text: string, others: readonly string[]): Finding[] {
  const found: Finding[] = []
  const injections = injectionsIn(text)
  if (injections.length > 0) {
    const rules = [...new Set(injections.map(({ rule }) => rule))]
    found.push({
      rule: 'instructions',
      at,
      detail: rules.slice(0, 5).join(', '),
      weight: injectionScore(injections),
    })
  }
  const path = sensitivePath.exec(text)?.[0]
  if (path) found.push({ rule: 'sensitive-path', at, detail: `It speaks of ${path}.`, weight: 0.6 })
  const channel = at === '/description' ? undefined : sideChannel.exec(text)?.[0]
  if (channel)
    found.push({ rule: 'side-channel', at, detail: `The argument asks for ${channel}.`, weight: 0.6 })
  for (const sentence of text.split(/(?<=[.!?])\s|\n/)) {
    const other = crossing.test(sentence) ? others.find((one) => mentions(sentence, one)) : undefined
    if (other) {
      found.push({
        rule: 'steers-other-tool',
        at,
        detail: `It says how ${other} is to be used.`,
        weight: 0.4,
      })
      break
    }
  }
  return found
}

/** Names of one plain word, as `search`, are words of the language too. */
const mentions = (sentence: string, name: string) =>
  /[-_.A-Z\d]/.test(name.slice(1)) && sentence.includes(name)

function changed(name: string, digest: string, pinned: Record<string, string>): Finding[] {
  if (!Object.hasOwn(pinned, name))
    return [{ rule: 'not-pinned', at: '', detail: 'Nobody has approved this tool yet.', weight: 0.3 }]
  if (pinned[name] === digest) return []
  return [{ rule: 'changed', at: '', detail: 'It is not what was approved under this name.', weight: 0.8 }]
}

type Text = { at: string; text: string }

/** Whatever of a tool a model reads: its description, and every title, description, default and example below. */
function textsOf({ description, inputSchema }: Tool): Text[] {
  return [{ at: '/description', text: description }, ...stringsIn(inputSchema, '/inputSchema', 0)]
}

function stringsIn(value: unknown, at: string, depth: number): Text[] {
  if (depth > 20) throw new Error('inputSchema: is nested more than 20 levels deep')
  if (typeof value === 'string') return value.length < 12 ? [] : [{ at, text: value.slice(0, 8000) }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    stringsIn(inner, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1),
  )
}
