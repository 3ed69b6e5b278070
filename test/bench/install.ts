import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const deadlineMs = 300_000

/**
 * The folder with these packages, installed by npm the first time. They are not dependencies of the workspace: who
 * only starts the community should not wait for them.
 */
export async function install(cacheDir: string, packages: Record<string, string>): Promise<string> {
  // Overrides: each of these once in the tree, or two copies of graphql break each other.
  const manifest = JSON.stringify({ private: true, dependencies: packages, overrides: packages }, null, 2)
  const name = createHash('sha256').update(manifest).digest('hex').slice(0, 12)
  const folder = join(cacheDir, 'bench', name)
  if (existsSync(folder)) return folder
  console.error(`installing ${Object.keys(packages).join(', ')}, once`)
  const half = join(cacheDir, 'bench', randomUUID())
  await mkdir(half, { recursive: true })
  try {
    await writeFile(join(half, 'package.json'), manifest)
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: half,
      timeout: deadlineMs,
    })
    await rename(half, folder)
  } catch (error) {
    await rm(half, { recursive: true, force: true })
    const { stderr, message } = error as Error & { stderr?: string }
    throw new Error(`it can not be installed: ${(stderr ?? message).trim().slice(0, 300)}`, { cause: error })
  }
  return folder
}
