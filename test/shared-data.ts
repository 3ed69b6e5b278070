import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const folder = resolve(import.meta.dirname, '../../shared/data')

/** Real inputs, which are no part of the project: those of developers and CI. */
export const sharedData = (...path: string[]): string => join(folder, ...path)

/** Null, or what to tell where they are not there. */
export const withoutSharedData = existsSync(folder)
  ? null
  : '../shared/data is missing: real inputs were not tried'
