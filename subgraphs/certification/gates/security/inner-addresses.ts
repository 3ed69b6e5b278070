import { setTimeout as sleep } from 'node:timers/promises'
import { callAgent } from '../call.ts'
import type { Weakness } from '../weakness.ts'
import { addressPlaces, type Place, withValue } from './address-inputs.ts'
import { type Canary, openCanary } from './canary.ts'
import { type Examined, examined } from './documents.ts'
import type { Exam } from './endpoint.ts'
import { weakness } from './rules.ts'

const maxCalls = 24
const maxMs = 30_000
/** What is fetched behind the answer is waited for. */
const lateMs = 300
const check = 'it fetches no addresses of inner networks (SSRF)'
const metadata = 'http://169.254.169.254/latest/meta-data/'
// What metadata services and files of a host say, and what is sent does not.
const told =
  /\bami-id\b|\binstance-(?:id|identity|action)\b|\blocal-ipv4\b|AccessKeyId|SecretAccessKey|\bserviceAccounts\b|"vmId"|\broot:x:0:0:/

type Target = { capability: string; at: string; place: Place; input: unknown }

/** Sends addresses that point inside to where the agent takes addresses, and looks whether somebody comes. */
export async function examineInnerAddresses(exam: Exam): Promise<Examined> {
  const targets = targetsOf(exam)
  if (targets.length === 0) return examined([[check, [], 'no input takes an address']])
  await using canary = await openCanary()
  const found: Weakness[] = []
  const startedAt = performance.now()
  let calls = 0
  for (const { capability, at, place, input } of targets) {
    for (const address of [...canaryAddresses(canary, at), metadata]) {
      if (calls === maxCalls || performance.now() - startedAt > maxMs) break
      calls++
      const { outcome, output, error } = await callAgent(exam, capability, withValue(input, place, address))
      const said = `${JSON.stringify(output ?? '')} ${error ?? ''}`
      const [leak] = told.exec(said) ?? []
      if (leak !== undefined)
        found.push(weakness('tells-metadata', at, `answered with ${leak} for ${address}`))
      if (outcome !== 'TIMEOUT') continue
      // It answers otherwise: perhaps it waits for who does not answer there. Each other would take its whole time too.
      found.push(weakness('hangs-at-inner-address', at, `no answer for ${address}`))
      calls = maxCalls
    }
  }
  await sleep(lateMs, undefined, { signal: exam.bounds.signal })
  for (const hit of canary.hits()) {
    const [at = '', host] = hit.split(' ')
    found.push(weakness('follows-inner-addresses', at, `it came to ${host}, where only it was sent`))
  }
  const clean = `${calls} addresses at ${targets.map(({ at }) => at).join(', ')}: nobody came`
  return examined([[check, found, clean]])
}

/** Loopback, as parsers of addresses know it by several names. */
const canaryAddresses = (canary: Canary, at: string): string[] =>
  ['127.0.0.1', 'localhost', '2130706433'].map(
    (host) => `http://${host}:${canary.port}${canary.pathFor(`${at} ${host}`)}`,
  )

const targetsOf = ({ agent }: Exam): Target[] =>
  agent.capabilities.flatMap(({ name, input, examples }, index) =>
    addressPlaces(input, examples[0]?.input).map((place) => ({
      capability: name,
      at: `/spec/capabilities/${index}/input: ${place.join('.')}`.replaceAll(' ', ''),
      place,
      input: examples[0]?.input,
    })),
  )
