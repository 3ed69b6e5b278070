import { randomUUID } from 'node:crypto'
import { checkEndpoint } from '../../../kit/endpoint.ts'
import { type Call, type CallOptions, callAgent } from '../call.ts'
import { askAgent, jsonOf, type Reply } from '../http.ts'
import type { Weakness } from '../weakness.ts'
import { type Examined, examined } from './documents.ts'
import { type RuleName, weakness } from './rules.ts'
import { secretsIn, withoutSecrets } from './secrets.ts'
import { subjectOf } from './subject.ts'
import { textsOf } from './texts.ts'
import { transportWeaknesses } from './transport.ts'
import { wordingWeaknesses } from './wording.ts'

export type SecurityOptions = CallOptions & {
  /** PEM of the authorities that https endpoints are verified by; absent: those that Node knows. */
  authorities?: string
}

export type Exam = Call & Pick<SecurityOptions, 'authorities'> & { token: string }

const at = '/spec/endpoint'
// No page of anybody's is served there (RFC 6761): who lets it in lets all in.
const strangeOrigin = 'https://stranger.invalid'

/** How the agent is reached and how it answers. `answers`: it is worth asking more. */
export async function examineEndpoint(exam: Exam): Promise<Examined & { answers: boolean }> {
  const { endpoint, endpointAllow, authorities, bounds } = exam
  const { timeoutMs, signal } = bounds
  const trusted = { endpointAllow, ...(authorities !== undefined && { authorities }), timeoutMs, signal }
  const transport = await transportWeaknesses(endpoint, trusted)
  const replies = await ask(exam)
  const behaviour = replies.map(({ url, reply }) => behaviourWeaknesses(url, reply))
  const redirected = await Promise.all(replies.map(({ url, reply }) => redirectWeaknesses(url, reply)))
  const card = replies.find(({ isCard }) => isCard)
  const answers = [...behaviour, ...redirected].flat().every(({ rule }) => !stopping.includes(rule))
  const called = answers ? await callWeaknesses(exam) : []
  return {
    ...examined([
      [
        'it is reached over a transport that can be trusted',
        transport,
        'https that verifies, or the own network',
      ],
      ['it answers in bounds, and leads nowhere else', unlike([...behaviour, ...redirected].flat(), called)],
      ['its card instructs and deceives nobody', card ? cardWeaknesses(exam, card.reply) : []],
    ]),
    answers: answers && called.length === 0,
  }
}

const stopping: readonly string[] = ['does-not-answer', 'endless-answer', 'redirects'] satisfies RuleName[]

/** The same seen at both addresses is told once. */
const unlike = (...lists: Weakness[][]): Weakness[] => [
  ...new Map(lists.flat().map((each) => [`${each.rule} ${each.seen}`, each])).values(),
]

async function ask({ endpoint, outbound, token, bounds }: Exam) {
  const card = `${endpoint.replace(/\/+$/, '')}/.well-known/agent-card.json`
  const body = { jsonrpc: '2.0', id: randomUUID(), method: 'NoSuchMethod', params: {} }
  const asking = { outbound, token, origin: strangeOrigin }
  const replies = [{ url: card, isCard: true, reply: await askAgent(card, asking, bounds) }]
  // What hangs once would take its whole time again.
  if (!replies.some(({ reply }) => 'unanswered' in reply))
    replies.push({
      url: endpoint,
      isCard: false,
      reply: await askAgent(endpoint, { ...asking, body }, bounds),
    })
  return replies
}

function behaviourWeaknesses(url: string, reply: Reply): Weakness[] {
  if ('unanswered' in reply)
    return [weakness(reply.isTooLong ? 'endless-answer' : 'does-not-answer', at, reply.unanswered)]
  const { headers } = reply
  const found: Weakness[] = []
  const origin = headers['access-control-allow-origin']
  if (headers['access-control-allow-credentials'] === 'true' && (origin === '*' || origin === strangeOrigin))
    found.push(
      weakness(
        'any-origin-with-credentials',
        at,
        `access-control-allow-origin: ${origin} for ${strangeOrigin}`,
      ),
    )
  const banner = [headers.server, headers['x-powered-by']].flat().filter((value) => /\d/.test(value ?? ''))
  if (banner.length > 0) found.push(weakness('tells-its-software', at, banner.join(', ')))
  if (url.startsWith('https:') && headers['strict-transport-security'] === undefined)
    found.push(weakness('no-strict-transport', at, 'no strict-transport-security'))
  return found
}

async function redirectWeaknesses(url: string, reply: Reply): Promise<Weakness[]> {
  if ('unanswered' in reply || reply.status < 300 || reply.status > 399) return []
  const { status, headers } = reply
  const location = headers.location ?? ''
  if (!URL.canParse(location, url))
    return [weakness('redirects', at, `HTTP ${status} to ${location || 'nowhere'}`)]
  const target = new URL(location, url)
  const { host } = new URL(url)
  if (target.href === new URL(url).href) return [weakness('redirects', at, `HTTP ${status} to itself`)]
  if (target.host === host) return [weakness('redirects', at, `HTTP ${status} to ${target.pathname}`)]
  const inner = await checkEndpoint(target.href, [])
  return [
    weakness(
      'redirects',
      at,
      `HTTP ${status} to another host, ${target.origin}${target.pathname}${inner === null ? '' : `: ${inner}`}`,
    ),
  ]
}

/** One call as any; what it costs is measured as any. */
async function callWeaknesses(exam: Exam): Promise<Weakness[]> {
  const [capability] = exam.agent.capabilities
  const [example] = capability?.examples ?? []
  if (!capability || !example) return []
  const { outcome, error = '' } = await callAgent(exam, capability.name, example.input)
  if (outcome === 'TIMEOUT') return [weakness('does-not-answer', at, error)]
  if (error.startsWith('the answer is larger than ')) return [weakness('endless-answer', at, error)]
  return /^HTTP 3\d\d, not an A2A answer/.test(error) ? [weakness('redirects', at, error)] : []
}

/** What it serves may say more than what it has registered. */
function cardWeaknesses({ agent }: Exam, reply: Reply): Weakness[] {
  const texts = 'text' in reply ? textsOf(jsonOf(reply.text)) : []
  if (!texts) return [weakness('manifest-too-large', 'card:', 'more texts than are read')]
  const { speaksOfSecrets, speaksOfAttacks } = subjectOf(agent.manifest)
  const found = [
    ...secretsIn(texts, speaksOfSecrets),
    ...wordingWeaknesses(withoutSecrets(texts), speaksOfAttacks),
  ]
  return found.map((each) => ({ ...each, at: `card:${each.at}` }))
}
