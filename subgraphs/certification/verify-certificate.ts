/**
 * `pnpm certificate FILE --keys KEYS [--revocations LIST]`: checks a certificate offline, with Node alone. FILE is the compact
 * JWS, or JSON with `certificate` and, for their evidence to be checked too, `gates { name verdict evidence }`, as the
 * query `certification` answers it. KEYS is what `certificateKeys` answers, kept from a time when it was trusted; LIST what
 * `certificateRevocations` answers. Ends with 0 where it is valid, 1 where it is not, 2 where it could not be checked.
 */
import { createHash, createPublicKey, type JsonWebKeyInput, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

type Key = JsonWebKeyInput['key'] & { kid?: string }
type Claims = {
  aud: string
  exp: number
  jti: string
  agentId: string
  agentVersion: string
  level: string
  gates: { name: string; verdict: string; evidenceSha256: string }[]
}
type Revocations = { aud: string; exp: number; revoked: { id: string; at: string }[] }
type Gate = { name: string; verdict: string; evidence: unknown }

const isOver = (exp: number) => exp * 1000 <= Date.now()
const dateOf = (exp: number) => new Date(exp * 1000).toISOString()

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keys: { type: 'string' }, revocations: { type: 'string' } },
})
const [file] = positionals
if (file === undefined || values.keys === undefined) {
  console.error('expected FILE --keys KEYS [--revocations LIST]')
  process.exit(2)
}

const problems: string[] = []
try {
  check(readFileSync(file, 'utf8').trim(), readFileSync(values.keys, 'utf8'))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(2)
}
for (const problem of problems) console.error(`not valid: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)

function check(text: string, keysText: string): void {
  const keys = keysOf(keysText)
  const shown = text.startsWith('{') ? shownIn(JSON.parse(text)) : { certificate: text, gates: null }
  const claims = signedBy<Claims>(keys, shown.certificate, 'certificate')
  if (!claims) return
  const { jti, agentId, agentVersion, level, exp, gates } = claims
  console.log(`${level} for ${agentId} ${agentVersion}, certification ${jti}, until ${dateOf(exp)}`)
  if (isOver(exp)) problems.push(`it has ended at ${dateOf(exp)}`)
  for (const { name, verdict } of gates)
    if (verdict !== 'PASS') problems.push(`the gate ${name} is ${verdict}`)
  checkEvidence(gates, shown.gates)
  checkRevocations(keys, jti)
}

function checkEvidence(signed: Claims['gates'], gates: Gate[] | null): void {
  if (gates === null) {
    console.log('evidence: not checked, the file has none')
    return
  }
  for (const { name, verdict, evidenceSha256 } of signed) {
    const gate = gates.find((each) => each.name === name)
    const digest = createHash('sha256')
      .update(canonical(gate?.evidence ?? null))
      .digest('hex')
    if (gate?.verdict !== verdict || digest !== evidenceSha256)
      problems.push(`the evidence of the gate ${name} is not what was signed`)
  }
  console.log(`evidence: of ${signed.length} gates`)
}

function checkRevocations(keys: Key[], id: string): void {
  if (values.revocations === undefined) {
    console.log('revocations: not checked, no list was given')
    return
  }
  const list = readFileSync(values.revocations, 'utf8').trim()
  const claims = signedBy<Revocations>(keys, list, 'certificate-revocations')
  if (!claims) return
  if (isOver(claims.exp))
    problems.push(`the list of revocations is of before ${dateOf(claims.exp)}: fetch it again`)
  const revoked = claims.revoked.find((each) => each.id === id)
  if (revoked) problems.push(`it was revoked at ${revoked.at}`)
  else console.log('revocations: not among them')
}

/** What a compact JWS (EdDSA) says, where one of the keys has signed it for this audience. */
function signedBy<T extends { aud: string }>(keys: Key[], jws: string, audience: string): T | null {
  const [header = '', payload = '', signature = '', ...rest] = jws.split('.')
  const { alg, kid } = decoded(header) as { alg?: unknown; kid?: unknown }
  const key = keys.find((each) => each.kid === kid)
  const isSigned =
    key !== undefined &&
    alg === 'EdDSA' &&
    rest.length === 0 &&
    verify(
      null,
      Buffer.from(`${header}.${payload}`),
      createPublicKey({ key, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    )
  const claims = isSigned ? (decoded(payload) as T) : null
  if (claims?.aud === audience) return claims
  problems.push(
    `the ${audience === 'certificate' ? audience : 'list of revocations'} is not signed by these keys, or was changed`,
  )
  return null
}

function decoded(part: string): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** The set itself, or the whole answer of the graph. */
function keysOf(text: string): Key[] {
  const found = findIn(JSON.parse(text), 'keys')
  if (Array.isArray(found) && found.length > 0) return found as Key[]
  throw new Error(`${values.keys} holds no JSON Web Key Set`)
}

function shownIn(value: unknown): { certificate: string; gates: Gate[] | null } {
  const certificate = findIn(value, 'certificate')
  const gates = findIn(value, 'gates')
  if (typeof certificate !== 'string') throw new Error(`${file} holds no certificate`)
  return { certificate, gates: Array.isArray(gates) ? (gates as Gate[]) : null }
}

/** The first field of this name, outermost first. */
function findIn(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name]
  for (const each of Object.values(value)) {
    const found = findIn(each, name)
    if (found !== undefined) return found
  }
  return undefined
}

/** RFC 8785: members in the order of their UTF-16 code units, numbers and texts as ECMAScript writes them. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(',')}}`
}
