import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

// Linux only: other systems have no /proc.
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
const pageBytes = Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }))

/** CPU time, user and system, that a process and its children have used, those that have ended included. */
export function cpuMs(root: number): number {
  // utime, stime, cutime and cstime of proc_pid_stat(5), counted after the name, which may hold spaces.
  const ticks = treeOf(root).flatMap((pid) => fieldsAfterName(pid).slice(11, 15).map(Number))
  return (ticks.reduce((sum, each) => sum + each, 0) * 1000) / ticksPerSecond
}

/** Resident memory of a process and its children; what they share is counted for each. */
export function rssBytes(root: number): number {
  const pages = treeOf(root).map((pid) => Number(read(`/proc/${pid}/statm`).split(' ')[1] ?? 0))
  return pages.reduce((sum, each) => sum + each, 0) * pageBytes
}

/** A process and its descendants. */
export function treeOf(root: number): number[] {
  const children = threadsOf(root).flatMap((thread) =>
    read(`/proc/${root}/task/${thread}/children`).split(' ').map(Number).filter(Boolean),
  )
  return [root, ...children.flatMap(treeOf)]
}

function fieldsAfterName(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

// Empty for a process that has just ended.
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
