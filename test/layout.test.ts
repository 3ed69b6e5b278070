import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')

const campaignMay = ['test/client.ts', 'test/world.ts', 'test/bench/options.ts', 'test/bench/table.ts']

/**
 * Who may import whom: the first rule whose folder holds the file decides. A file may always import from the rule's own
 * folder; beyond it, only what is listed (path prefixes of this repository, `npm:` for any package, `npm:NAME` for one).
 */
const walls: { folder: string; may: string[] }[] = [
  { folder: 'infra', may: ['npm:'] },
  {
    folder: 'gateway/plan',
    may: [
      'npm:graphql',
      'schema/event.ts',
      ...['query-planner', 'query-graphs', 'federation-internals'].map((each) => `npm:@apollo/${each}`),
    ],
  },
  { folder: 'gateway', may: ['npm:', 'infra'] },
  { folder: 'schema', may: ['npm:'] },
  { folder: 'subgraphs/kit', may: ['npm:', 'infra'] },
  ...['agents', 'marketplace', 'certification', 'telemetry', 'federation'].map((name) => ({
    folder: `subgraphs/${name}`,
    may: ['npm:', 'infra', 'subgraphs/kit'],
  })),
  { folder: 'subgraphs', may: ['npm:', 'infra'] },
  // Faults are injected, and what becomes of them is judged, by code that knows nothing of what mends them.
  {
    folder: 'test/fault/campaign',
    may: ['npm:', ...['config', 'eventlog', 'keys', 'log'].map((each) => `infra/${each}.ts`), ...campaignMay],
  },
  { folder: 'test', may: ['npm:', 'infra', 'gateway', 'subgraphs', 'schema'] },
]

// Tests may also reach the test floor (databases, worlds) and compose schemas.
const testsMay = ['npm:', 'test', 'schema', 'infra']

type Import = { file: string; specifier: string; target: string }

function importsOf(file: string, source: string): Import[] {
  const specifiers = [
    ...source.matchAll(/^\s*(?:import|export)\s[^'"`;]*?from\s+['"]([^'"]+)['"]/gm),
    ...source.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm),
    ...source.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
  ].flatMap((match) => match[1] ?? [])
  return specifiers.map((specifier) => ({ file, specifier, target: targetOf(file, specifier) }))
}

function targetOf(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return relative(root, resolve(root, dirname(file), specifier))
  if (specifier.startsWith('@community/')) return specifier.slice('@community/'.length)
  return `npm:${specifier}`
}

const within = (path: string, prefix: string) =>
  prefix.startsWith('npm:')
    ? prefix === 'npm:'
      ? path.startsWith('npm:')
      : path === prefix || path.startsWith(`${prefix}/`)
    : path === prefix || path.startsWith(`${prefix}/`)

function offends({ file, target }: Import): boolean {
  if (target.startsWith('npm:node:')) return within(file, 'gateway/plan') && !file.endsWith('.test.ts')
  const wall = walls.find((rule) => within(file, rule.folder))
  if (!wall) return true
  const may = file.endsWith('.test.ts') ? [...wall.may, ...testsMay] : wall.may
  return !within(target, wall.folder) && !may.some((prefix) => within(target, prefix))
}

const files = globSync('{gateway,infra,schema,subgraphs,test}/**/*.ts', {
  cwd: root,
  exclude: (name) => name.includes('node_modules'),
}).filter((file) => !file.endsWith('.generated.ts'))

const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))

test('every import stays within its walls', () => {
  expect(files.length).toBeGreaterThan(20)
  expect(imports.filter(offends).map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([])
})

test('an import across a wall is seen', () => {
  const source = `import { pool } from '../agents/store.ts'\nimport type { Db } from '@community/infra/postgres.ts'`
  const offending = importsOf('subgraphs/marketplace/store.ts', source).filter(offends)
  expect(offending.map(({ specifier }) => specifier)).toEqual(['../agents/store.ts'])
})

test('the campaign of faults reaches neither incidents nor policies', () => {
  const source = [`import { policies } from '@community/subgraphs/agents/incidents/policies.ts'`]
    .concat(`import { readPlan } from '../../../../subgraphs/agents/orchestrate/definition.ts'`)
    .join('\n')
  const offending = importsOf('test/fault/campaign/faults/pools.ts', source).filter(offends)
  expect(offending).toHaveLength(2)
})

test('no file re-exports another', () => {
  const barrels = files.filter((file) =>
    /^export (\*|\{[^}]*\}) from/m.test(readFileSync(join(root, file), 'utf8')),
  )
  expect(barrels).toEqual([])
})

test('only infra/config.ts reads the environment', () => {
  const readers = files.filter(
    (file) => file !== 'infra/config.ts' && !file.startsWith('test/') && !file.endsWith('.test.ts'),
  )
  expect(readers.filter((file) => /process\.env\b/.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
})

test('the top level holds the rooms and what tools need, nothing else', () => {
  const allowed = [
    '.ci .gitignore .oxlintrc.json biome.json',
    'CHANGELOG.md LICENSE README.md package.json pnpm-lock.yaml pnpm-workspace.yaml tsconfig.json',
    'gateway infra schema subgraphs test',
  ].flatMap((line) => line.split(' '))
  const local = ['.git', '.data', 'node_modules']
  const found = globSync('{*,.*}', { cwd: root }).filter((name) => !local.includes(name))
  expect(found.filter((name) => !allowed.includes(name))).toEqual([])
})
