import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** Documents, and questions that each have one right answer: `rel`, its index. */
export type DataSet = {
  docs: { id: string; name: string; desc: string }[]
  queries: { q: string; rel: number }[]
}

/** Beside the repository; no copy is in it. */
export const usualFolder = resolve(import.meta.dirname, '../../../shared/data')

export const dataSetNames = ['metatool_dev', 'bfcl_dev'] as const

/** The files that the folder lacks. */
export const missingIn = (folder: string) =>
  dataSetNames.map((name) => join(folder, `${name}.json`)).filter((file) => !existsSync(file))

export const readDataSet = async (folder: string, name: string) =>
  JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')) as DataSet
