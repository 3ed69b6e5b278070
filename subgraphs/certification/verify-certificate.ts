/**
 * `pnpm certificate FILE --keys KEYS [--revocations LIST]`: checks a certificate offline, with Node alone. FILE is the compact
 * JWS, or JSON with `certificate` and, for their evidence to be checked too, `gates { name verdict evidence }`, as the
 * query `certification` answers it. KEYS is what `certificateKeys` answers, kept from a time when it was trusted; LIST what
 * `certificateRevocations` answers. Ends with 0 where it is valid, 1 where it is not, 2 where it could not be checked.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { canonical } from '../kit/canonical.ts'
import { findIn, keysIn, type PublicKey, signedBy } from '../kit/signed.ts'

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
  const keys = keysIn(keysText)
  const shown = text.startsWith('{') ? shownIn(JSON.parse(text)) : { certificate: text, gates: null }
  const claims = signedBy<Claims>(keys, shown.certificate, 'certificate')
  if (!claims) {
    problems.push('the certificate is not signed by these keys, or was changed')
    return
  }
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

function checkRevocations(keys: PublicKey[], id: string): void {
  if (values.revocations === undefined) {
    console.log('revocations: not checked, no list was given')
    return
  }
  const list = readFileSync(values.revocations, 'utf8').trim()
  const claims = signedBy<Revocations>(keys, list, 'certificate-revocations')
  if (!claims) {
    problems.push('the list of revocations is not signed by these keys, or was changed')
    return
  }
  if (isOver(claims.exp))
    problems.push(`the list of revocations is of before ${dateOf(claims.exp)}: fetch it again`)
  const revoked = claims.revoked.find((each) => each.id === id)
  if (revoked) problems.push(`it was revoked at ${revoked.at}`)
  else console.log('revocations: not among them')
}

function shownIn(value: unknown): { certificate: string; gates: Gate[] | null } {
  const certificate = findIn(value, 'certificate')
  const gates = findIn(value, 'gates')
  if (typeof certificate !== 'string') throw new Error(`${file} holds no certificate`)
  return { certificate, gates: Array.isArray(gates) ? (gates as Gate[]) : null }
}
