import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Ends servers that an earlier supervisor left running because it was killed together with its leashes. A server is
 * known by its command line, which names a file or folder of this installation: a pid in a file may belong to somebody
 * else by now.
 */
export async function endLeftovers(
  server: 'postgres' | 'java',
  argument: string,
  signal: 'SIGINT' | 'SIGTERM',
  graceMs: number,
): Promise<void> {
  const deadline = Date.now() + graceMs
  const asked = new Set<number>()
  for (let pids = await pidsOf(server, argument); pids.length > 0; pids = await pidsOf(server, argument)) {
    for (const pid of pids) {
      if (Date.now() > deadline) signalTo(pid, 'SIGKILL')
      else if (!asked.has(pid)) signalTo(pid, signal)
      asked.add(pid)
    }
    await sleep(100)
  }
}

async function pidsOf(server: string, argument: string): Promise<number[]> {
  const columns = 'pid=,ucomm=,args='
  const { stdout } = await run('ps', ['-A', '-ww', '-o', columns], { maxBuffer: 16 * 1024 * 1024 })
  return stdout.split('\n').flatMap((line) => {
    const [, pid = '', name = '', args = ''] = /^\s*(\d+) +(\S+) +(.*)$/.exec(line) ?? []
    // Others name the same file: the leash's shell, an operator's pager. A path may hold spaces.
    return name === server && `${args} `.includes(` ${argument} `) ? Number(pid) : []
  })
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
