import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { A2A_PROTOCOL_VERSION, A2A_VERSION_HEADER, type Part } from '@a2a-js/sdk'
import type { EventLog } from '@community/infra/eventlog.ts'
import type { Keys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import { type Dispatcher, request } from 'undici'
import { dataPart, readAnswer, sendMessageParams, textOf } from './a2a.ts'
import { readText } from './body.ts'
import { countTokens } from './tokens.ts'

export type InvokeOptions = {
  /** The agent's A2A JSON-RPC URL. Redirects are not followed. */
  endpoint: string
  /** Of `openOutbound`: the URL's host may be a stranger's. */
  outbound: Dispatcher
  agentId: string
  capability: string
  input: unknown
  /** Subject of the call, as `agent:community-orchestrator`. */
  caller: string
  /** Purpose `internal`: the token is made out to this agent alone. */
  keys: Keys
  /** The message's id, one of the caller's own: what was sent before with the same one has no second effect. */
  idempotencyKey?: string
  /** From connecting to the last byte. */
  timeoutMs: number
  /** Of the answer. */
  maxBytes: number
  signal?: AbortSignal
}

type Outcome = 'OK' | 'ERROR' | 'TIMEOUT'

/** One call of an agent, measured. Tokens are those of the parts' texts and JSON, as sent and received. */
export type Invocation = {
  outcome: Outcome
  /** Where the outcome is OK. */
  output?: unknown
  /** Where it is not. */
  error?: string
  /** Whether the agent has told how the request ended: then a repetition with the same key tells the same. */
  answered: boolean
  latencyMs: number
  tokensIn: number
  tokensOut: number
  agentId: string
  capability: string
  caller: string
  /** When the call began, ISO 8601. */
  at: string
}

type Unanswered = { error: string; timedOut: boolean; answered: boolean }

const tokenTtlSeconds = 60
const tokenReuseMs = 30_000
const maxTokens = 10_000

/** One blocking A2A 1.0 SendMessage over JSON-RPC. Never throws for what the agent or the network does. */
export async function invoke(options: InvokeOptions): Promise<Invocation> {
  const { agentId, capability, input, caller } = options
  const at = new Date()
  const part = dataPart({ capability, input })
  const startedAt = performance.now()
  const received = await send(options, part)
  const latencyMs = performance.now() - startedAt
  const measured = {
    latencyMs: Math.round(latencyMs * 100) / 100,
    tokensIn: tokensOf([part]),
    agentId,
    capability,
    caller,
    at: at.toISOString(),
  }
  if ('error' in received) {
    const { error, timedOut, answered } = received
    return { outcome: timedOut ? 'TIMEOUT' : 'ERROR', error, answered, ...measured, tokensOut: 0 }
  }
  const { answer, parts } = readAnswer(received.status, received.text)
  // What is no A2A answer was received all the same.
  const tokensOut = parts ? tokensOf(parts) : countTokens(received.text)
  const answered = parts !== null
  if ('error' in answer) return { outcome: 'ERROR', error: answer.error, answered, ...measured, tokensOut }
  return { outcome: 'OK', output: answer.output, answered, ...measured, tokensOut }
}

const tokensOf = (parts: readonly Part[]) => parts.reduce((sum, part) => sum + countTokens(textOf(part)), 0)

async function send(
  { endpoint, outbound, agentId, caller, keys, idempotencyKey, timeoutMs, maxBytes, signal }: InvokeOptions,
  part: Part,
): Promise<{ status: number; text: string } | Unanswered> {
  const token = await tokenFor(keys, agentId, caller)
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await request(endpoint, {
      method: 'POST',
      dispatcher: outbound,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        authorization: `Bearer ${token}`,
        [A2A_VERSION_HEADER]: A2A_PROTOCOL_VERSION,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'SendMessage',
        params: sendMessageParams(part, idempotencyKey),
      }),
      signal: signal ? AbortSignal.any([deadline, signal]) : deadline,
    })
    const text = await readText(response.body, maxBytes)
    if (text === null)
      return { error: `the answer is larger than ${maxBytes} bytes`, timedOut: false, answered: true }
    return { status: response.statusCode, text }
  } catch (error) {
    if (deadline.aborted)
      return { error: `no answer within ${timeoutMs} ms`, timedOut: true, answered: false }
    if (signal?.aborted) return { error: 'the call was given up', timedOut: false, answered: false }
    return { error: `the agent could not be reached: ${reasonOf(error)}`, timedOut: false, answered: false }
  }
}

type Token = { text: Promise<string>; until: number }

const tokens = new WeakMap<Keys, Map<string, Token>>()

/** The same for the next calls within a while: to sign one took longer than to write a message. */
async function tokenFor(keys: Keys, agentId: string, caller: string): Promise<string> {
  const ofKeys = tokens.get(keys) ?? new Map<string, Token>()
  tokens.set(keys, ofKeys)
  const name = JSON.stringify([agentId, caller])
  const known = ofKeys.get(name)
  if (known && known.until > Date.now()) return await known.text
  if (ofKeys.size >= maxTokens) ofKeys.clear()
  const claims = { audience: `agent:${agentId}`, subject: caller, ttlSeconds: tokenTtlSeconds }
  const text = keys.sign({}, claims)
  ofKeys.set(name, { text, until: Date.now() + tokenReuseMs })
  text.catch(() => ofKeys.delete(name))
  return await text
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message || error.name : String(error))

export const usageTopic = 'ossa.telemetry.usage.v1'

export type Visibility = 'PRIVATE' | 'ORGANIZATION' | 'PARTNERS' | 'PUBLIC'

/** What of the agent called decides who may read its usage, until its own events tell. */
export type Called = { pool: string | null; organization: string; visibility: Visibility }

/** In whose name the call was made. Gates, probes and health checks look at an agent (CHECK), all else uses it. */
export type Calling = { organization: string | null; purpose: 'USE' | 'CHECK' }

type Sample = Omit<Invocation, 'output' | 'error' | 'answered'> & {
  pool: string | null
  organizationId: string
  visibility: Visibility
  callerOrganization: string | null
  purpose: Calling['purpose']
}

type Batch = { id: string; time: string; sequence: number; samples: Sample[] }

export type Usage = {
  record(invocation: Invocation, called: Called, calling: Calling): void
  /** Resolves when what was recorded before is in the log. Rejects where the log does not take it. */
  flush(): Promise<void>
  /** Flushes, waiting 5 s at most. */
  stop(): Promise<void>
}

const batchSize = 100
const flushEveryMs = 500
const maxPending = 10_000
const stopWithinMs = 5_000

/**
 * Brings measured calls to the usage topic in batches of up to 100, at the latest after 500 ms. A batch that the log did
 * not take is sent again as it was; beyond 10,000 waiting samples the newest are dropped, and their number is logged.
 */
export function startUsage({
  eventLog,
  source,
  log,
}: {
  eventLog: EventLog
  source: string
  log: Log
}): Usage {
  // A restarted process begins anew at sequence 1: under the old name its batches would look like repetitions.
  const key = `${source}:${randomUUID()}`
  const stopping = new AbortController()
  let samples: Sample[] = []
  let cut: Batch | null = null
  let sequence = 0
  let dropped = 0
  let failing = false
  let sending: Promise<void> | null = null

  const sendAll = async () => {
    for (;;) {
      cut ??= samples.length === 0 ? null : nextBatch()
      if (!cut) return
      await eventLog.append(usageTopic, [usageEvent(key, cut)])
      cut = null
    }
  }
  const nextBatch = (): Batch => {
    const batch = samples.slice(0, batchSize)
    samples = samples.slice(batchSize)
    return { id: randomUUIDv7(), time: new Date().toISOString(), sequence: ++sequence, samples: batch }
  }
  const flush = (): Promise<void> => {
    sending ??= sendAll().finally(() => {
      sending = null
    })
    return sending
  }
  const flushing = (async () => {
    while (!stopping.signal.aborted) {
      await sleep(flushEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      try {
        await flush()
        failing = false
        if (dropped > 0) log.error({ dropped }, 'usage samples were dropped while the event log was away')
        dropped = 0
      } catch (error) {
        if (!failing) log.warn({ err: error }, 'usage could not be sent, trying again')
        failing = true
      }
    }
  })()

  return {
    record(
      { output: _output, error: _error, answered: _answered, ...measured },
      { pool, organization, visibility },
      { organization: callerOrganization, purpose },
    ) {
      if (samples.length >= maxPending) dropped++
      else
        samples.push({
          ...measured,
          pool,
          organizationId: organization,
          visibility,
          callerOrganization,
          purpose,
        })
    },
    flush,
    async stop() {
      stopping.abort()
      await Promise.race([flushing, sleep(stopWithinMs, undefined, { ref: false })])
      const waiting = samples.length + (cut?.samples.length ?? 0)
      if (waiting > 0) log.error({ dropped: waiting }, 'usage samples were dropped at the end')
    },
  }
}

const usageEvent = (key: string, { id, time, sequence, samples }: Batch) => ({
  key,
  headers: {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: id,
    ce_source: `/usage/${key}`,
    ce_type: 'ossa.telemetry.UsageBatch',
    ce_time: time,
    ce_subject: key,
    ce_aggregateversion: String(sequence),
  },
  value: JSON.stringify({ source: key, sequence, samples }),
})
