import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inheritedEnvironment } from '@community/infra/config.ts'
import { leash } from '@community/infra/embedded/leash.ts'
import { freePort } from '@community/infra/embedded/ports.ts'
import { install } from './install.ts'
import { nodeOptions } from './node-options.ts'
import type { Subgraphs } from './subgraphs.ts'

/** What can be measured: how it is got and how it is started. */
export type Contestant = {
  name: string
  /** One line for the reader of the table. */
  about: string
  /** Exact versions, installed for the bench alone. */
  packages?: Record<string, string>
  command(site: Site): Promise<Command> | Command
}

export type Site = {
  subgraphs: Subgraphs
  supergraphFile: string
  port: number
  /** For its files, its own. */
  folder: string
  /** Where its packages are, if it has any. */
  packages: string
}

export type Command = {
  command: string
  args: string[]
  env?: Record<string, string>
  path: string
  /** Absent or null: it tells none. */
  metricsPath?: string | null
  /** Tokens that its clients have; absent: any Authorization is taken, and goes on to the subgraphs. */
  authorizations?: string[]
}

export type Gateway = {
  name: string
  about: string
  url: string
  metricsUrl: string | null
  authorizations: string[] | null
  pid: number
  stop: () => Promise<void>
}

const readyWithinMs = 60_000

/** `tuned`: what runs in Node gets the options of Node that ours is started with. */
type Stage = Pick<Site, 'subgraphs' | 'supergraphFile' | 'folder'> & { cacheDir: string; tuned: boolean }

/** Answers when it resolves; throws what kept it from being installed or from answering. */
export async function startGateway(contestant: Contestant, stage: Stage): Promise<Gateway> {
  const packages = contestant.packages ? await install(stage.cacheDir, contestant.packages) : ''
  const folder = join(stage.folder, contestant.name)
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const command = await contestant.command({ ...stage, folder, packages, port })
  const { authorizations = null, path, metricsPath = null } = command
  const address = `http://127.0.0.1:${port}`
  const { pid, stop } = await startedProcess(command, {
    folder,
    tuned: stage.tuned,
    isReady: () => answers(address + path, authorizations),
  })
  return {
    name: contestant.name,
    about: [contestant.about, ...versionsOf(contestant)].join(', '),
    url: address + path,
    metricsUrl: metricsPath === null ? null : address + metricsPath,
    authorizations,
    pid,
    stop,
  }
}

// On a leash: none of them would notice that the bench was killed.
async function startedProcess(
  { command, args, env }: Command,
  { folder, tuned, isReady }: { folder: string; tuned: boolean; isReady: () => Promise<boolean> },
): Promise<Pick<Gateway, 'pid' | 'stop'>> {
  const logFile = join(folder, 'log')
  const forNode = tuned && command === process.execPath ? nodeOptions : []
  const server = leash({
    command: 'env',
    args: ['-C', folder, command, ...forNode, ...args],
    env: { ...inheritedEnvironment(), NODE_ENV: 'production', ...env },
    signal: 'TERM',
    graceMs: 2_000,
    logFile,
  })
  const deadline = Date.now() + readyWithinMs
  while (!(await isReady())) {
    if (server.process.exitCode !== null || Date.now() > deadline) {
      await server.stop()
      throw new Error(`it does not answer. ${(await readFile(logFile, 'utf8')).trim().slice(-2_000)}`)
    }
    await sleep(100)
  }
  return { pid: server.process.pid ?? 0, stop: () => server.stop() }
}

const versionsOf = ({ packages = {} }: Contestant) =>
  Object.entries(packages).map(([name, version]) => `${name} ${version}`)

/** Throws where there is an error in the answer. */
export async function ask(
  { url, authorizations }: Gateway,
  query: string,
): Promise<{ data: unknown; text: string }> {
  const response = await post(url, query, authorizations)
  const text = await response.text()
  const { data, errors } = JSON.parse(text) as { data?: unknown; errors?: unknown }
  if (errors !== undefined) throw new Error(`it answers ${JSON.stringify(errors).slice(0, 500)}`)
  return { data, text }
}

/** The same bytes wherever a query is asked: the floor knows a query by them. */
export const bodyOf = (query: string): string => JSON.stringify({ query })

const answers = (url: string, authorizations: string[] | null): Promise<boolean> =>
  post(url, '{ __typename }', authorizations).then(
    ({ ok }) => ok,
    () => false,
  )

const post = (url: string, query: string, authorizations: string[] | null): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: authorizations?.[0] ?? 'Bearer bench' },
    body: bodyOf(query),
    signal: AbortSignal.timeout(10_000),
  })
