/** `deploy.ts DEFINITION [--gateway URL] [--token JWT]`: runs a plan and shows how it goes; 0 when it has converged. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { z } from 'zod'
import { graphClient } from '../kit/graph.ts'
import { follow, going, type Status } from './orchestrate/follow.ts'
import { progressDisplay } from './orchestrate/progress.ts'

const config = readConfig()
const { values, positionals } = parseArgs({
  options: { gateway: { type: 'string', default: config.gatewayUrl }, token: { type: 'string' } },
  allowPositionals: true,
})
const [definition] = positionals
if (definition === undefined || positionals.length > 1) {
  console.error('usage: deploy.ts DEFINITION [--gateway URL] [--token JWT]')
  process.exit(2)
}
// What watches the run for somebody need not outlive them; the run goes on without it.
if (process.send) process.once('disconnect', () => process.exit(1))

const tokenOf = values.token === undefined ? await ownTokens() : async () => values.token ?? ''
const graph = graphClient({ url: values.gateway, log: createLog('deploy', config.logLevel) })

try {
  process.exit(await deploy(definition))
} catch (error) {
  console.error(`${definition}: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}

async function deploy(name: string): Promise<number> {
  const last = await lastRun(name)
  if (last?.status === 'CONVERGED') {
    console.log(`${last.id}: converged already`)
    return 0
  }
  const isGoing = last !== null && going.includes(last.status)
  if (isGoing) console.log(`${last.id}: is going already, following it`)
  return await show(isGoing ? last.id : await startRun(name))
}

async function show(id: string): Promise<number> {
  const display = progressDisplay(process.stdout)
  let last: Status | null = null
  try {
    for await (last of follow(values.gateway, id, tokenOf))
      display.show(last.plan, last.phase, last.transition)
  } finally {
    display.end()
  }
  if (last === null) throw new Error(`nothing was heard of ${id}`)
  const { status, reasons, iteration, progress, tokenBudget, startedAt, finishedAt } = last.plan
  const seconds = startedAt && finishedAt ? (finishedAt.getTime() - startedAt.getTime()) / 1000 : 0
  console.log(
    `${id}: ${status.toLowerCase()} in iteration ${iteration}, ${progress.done}/${progress.total} steps, ` +
      `${tokenBudget.spent} of ${tokenBudget.allocated} tokens, ${seconds.toFixed(1)} s`,
  )
  if (status === 'CONVERGED') return 0
  for (const reason of reasons) console.log(`${id}: ${reason}`)
  return 1
}

async function lastRun(name: string): Promise<{ id: string; status: string } | null> {
  const query = `query ($definition: String!) {
    executionPlans(filter: { definition: $definition }, first: 1) { edges { node { id status } } }
  }`
  const run = z.object({ id: z.string(), status: z.string() })
  const answer = z
    .object({ executionPlans: z.object({ edges: z.array(z.object({ node: run })) }) })
    .parse(await graph.ask(query, { definition: name }, await tokenOf()))
  return answer.executionPlans.edges[0]?.node ?? null
}

async function startRun(name: string): Promise<string> {
  const mutation = 'mutation ($definition: String!) { startPlan(definition: $definition) { id } }'
  const answer = z
    .object({ startPlan: z.object({ id: z.string() }) })
    .parse(await graph.ask(mutation, { definition: name }, await tokenOf()))
  return answer.startPlan.id
}

async function ownTokens(): Promise<() => Promise<string>> {
  if (config.jwksUrl !== undefined) {
    console.error('tokens come from an external issuer: give one with --token')
    process.exit(2)
  }
  const issuer = await openKeys(config.keysDir ?? join(config.dataDir, 'keys'), 'issuer')
  return () =>
    issuer.sign(
      { org: config.homeOrganization, scope: 'agents:deploy' },
      {
        subject: 'deploy',
        issuer: config.jwtIssuer,
        audience: config.jwtAudience,
        ttlSeconds: 3600,
      },
    )
}
