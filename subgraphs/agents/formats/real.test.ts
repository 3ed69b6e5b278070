import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { sharedData, withoutSharedData } from '../../../test/shared-data.ts'
import type { Manifest } from '../manifest.ts'
import { documentReader } from './read.ts'

const { all } = documentReader()

describe.skipIf(withoutSharedData)(withoutSharedData ?? 'real documents', () => {
  const ossa = () =>
    readdirSync(sharedData('ossa-manifests'))
      .filter((file) => file.endsWith('.yaml'))
      .flatMap((file) =>
        all(readFileSync(sharedData('ossa-manifests', file), 'utf8')).map((read, index) => ({
          file: `${file} ${index}`,
          manifest: read(),
        })),
      )
  const mcp = () => all(readFileSync(sharedData('mcp-servers.json'), 'utf8'))

  test('every OSSA document is read, and what is not understood of it is named', () => {
    const found = ossa()
    expect(new Set(found.map(({ file }) => file.split(' ')[0])).size).toBe(66)
    expect(unaccounted(found)).toEqual([])
    const parts = found.filter(({ manifest }) => manifest.reading.notUnderstood.length > 0)
    expect(
      parts.flatMap(({ file, manifest }) => manifest.reading.notUnderstood.map((each) => `${file} ${each}`)),
    ).toMatchInlineSnapshot(`
      [
        "messaging__dependency-healer.ossa.yaml 0 /spec/tools/0/capabilities",
        "messaging__dependency-healer.ossa.yaml 0 /spec/tools/1/capabilities",
        "messaging__routing-rules.ossa.yaml 0 /spec/transforms",
        "ossa-templates__05-doc-generator.ossa.yaml 0 /spec/templates",
        "ossa-templates__09-test-generator.ossa.yaml 0 /spec/languages",
      ]
    `)
  })

  test('every MCP server is read whole, but for seven that are empty', () => {
    const refused: string[] = []
    const found = mcp().flatMap((read, index) => {
      try {
        return [{ file: `server ${index}`, manifest: read() }]
      } catch (error) {
        refused.push(String(error))
        return []
      }
    })
    expect(found).toHaveLength(464)
    expect(unaccounted(found)).toEqual([])
    expect(found.flatMap(({ manifest }) => manifest.reading.notUnderstood)).toEqual([])
    expect(new Set(found.map(({ manifest }) => manifest.name)).size).toBe(464)
    expect(refused).toHaveLength(7)
    for (const each of refused) expect(each).toMatch(/\/name \(line \d+\): expected a name/)
  })
})

/** Leaves that are neither where they were in our reading nor below what is named as not understood. */
function unaccounted(found: { file: string; manifest: Manifest }[]): string[] {
  return found.flatMap(({ file, manifest: { document, reading } }) => {
    const named = (pointer: string) =>
      reading.notUnderstood.some((each) => pointer === each || pointer.startsWith(`${each}/`))
    return [...leavesOf(document, '')].flatMap(([pointer, value, keys]) => {
      const read = keys.reduce<unknown>(
        (part, key) => (part as Record<string, unknown> | undefined)?.[key],
        reading.profile,
      )
      return named(pointer) || read === value ? [] : [`${file} ${pointer}`]
    })
  })
}

function* leavesOf(
  value: unknown,
  pointer: string,
  keys: string[] = [],
): Generator<[string, unknown, string[]]> {
  if (typeof value !== 'object' || value === null) {
    if (value !== null) yield [pointer, value, keys]
    return
  }
  for (const [name, item] of Object.entries(value))
    yield* leavesOf(item, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, [...keys, name])
}
