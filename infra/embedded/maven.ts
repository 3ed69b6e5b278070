import { execFile } from 'node:child_process'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Log } from '../log.ts'
import { CannotStart } from './cannot-start.ts'
import { underLock } from './lock.ts'

const run = promisify(execFile)
const downloadDeadlineMs = 300_000
const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'

export type Fetch = {
  /** What an operator calls it. */
  what: string
  /** Filled in whole or not at all. */
  folder: string
  /** Held by the one process that fetches. */
  lockFile: string
  /** The project's `<dependencies>`. */
  dependencies: string
  /** Of maven-dependency-plugin, with its options. */
  goal: 'copy-dependencies' | 'unpack-dependencies'
  options?: readonly string[]
  log: Log
}

/** The folder filled by Maven the first time; throws CannotStart where Maven can't get it. */
export async function fetchWithMaven(fetch: Fetch): Promise<void> {
  const { what, folder, lockFile, dependencies, goal, options = [], log } = fetch
  if (await exists(folder)) return
  await mkdir(join(folder, '..'), { recursive: true })
  await underLock(lockFile, async () => {
    if (await exists(folder)) return
    log.info({ folder }, `getting ${what} from Maven, once`)
    const half = `${folder}.new`
    await rm(half, { recursive: true, force: true })
    await mkdir(half)
    await writeFile(join(half, 'pom.xml'), pomOf(dependencies))
    const args = ['-q', '-B', '-f', join(half, 'pom.xml'), `${plugin}:${goal}`, `-DoutputDirectory=${half}`]
    await run('mvn', [...args, ...options], {
      timeout: downloadDeadlineMs,
      maxBuffer: 16 * 1024 * 1024,
    }).catch(({ stdout, killed }: { stdout?: string; killed?: boolean }) => {
      const reason = killed
        ? `not within ${downloadDeadlineMs / 1000} s`
        : (stdout ?? '').trim().split('\n')[0]?.replace('[ERROR] ', '')
      throw new CannotStart(`Maven could not get ${what}: ${reason}`)
    })
    await rename(half, folder)
  })
}

const pomOf = (dependencies: string) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>community</groupId><artifactId>fetched</artifactId><version>1</version>
  <dependencies>
    ${dependencies}
  </dependencies>
</project>
`

/** What a command prints, or null where it is not installed. */
export async function outputOf(command: string, args: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await run(command, args, { timeout: 20_000 })
    return stdout + stderr
  } catch {
    return null
  }
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
