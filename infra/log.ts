import { type Logger, pino } from 'pino'

export type Log = Logger

/** JSON lines on stderr: stdout belongs to what a command prints for its caller. */
export const createLog = (name: string, level: string): Log =>
  pino(
    { name, level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )
