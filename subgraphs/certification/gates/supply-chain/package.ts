import { PackageURL } from 'packageurl-js'

/** A package as OSV's records name it. */
export type Package = { ecosystem: string; name: string; version: string }

/** By purl type, https://ossf.github.io/osv-schema/#affectedpackage-field. Distributions have orders of their own. */
const ecosystems: Record<string, { ecosystem: string; name: (namespace: string, name: string) => string }> = {
  npm: { ecosystem: 'npm', name: joined('/') },
  pypi: { ecosystem: 'PyPI', name: (_, name) => name.toLowerCase().replaceAll(/[-_.]+/g, '-') },
  maven: { ecosystem: 'Maven', name: joined(':') },
  golang: { ecosystem: 'Go', name: joined('/') },
  cargo: { ecosystem: 'crates.io', name: joined('/') },
  nuget: { ecosystem: 'NuGet', name: joined('/') },
  gem: { ecosystem: 'RubyGems', name: joined('/') },
  composer: { ecosystem: 'Packagist', name: joined('/') },
  hex: { ecosystem: 'Hex', name: joined('/') },
  pub: { ecosystem: 'Pub', name: joined('/') },
  swift: { ecosystem: 'SwiftURL', name: joined('/') },
  githubactions: { ecosystem: 'GitHub Actions', name: joined('/') },
}

function joined(by: string) {
  return (namespace: string, name: string) => (namespace === '' ? name : `${namespace}${by}${name}`)
}

/** Null where it is no purl, of no ecosystem that records are compared in, or has no version. */
export function packageOf(purl: string): Package | null {
  try {
    const { type, namespace, name, version } = PackageURL.fromString(purl)
    const known = ecosystems[type ?? '']
    if (!known || name === undefined || version === undefined) return null
    return { ecosystem: known.ecosystem, name: known.name(namespace ?? '', name), version }
  } catch {
    return null
  }
}

/** The same for names that an ecosystem takes for one. */
export const packageKey = (ecosystem: string, name: string): string => {
  const base = ecosystem.split(':')[0] ?? ''
  const plain = base === 'PyPI' ? name.toLowerCase().replaceAll(/[-_.]+/g, '-') : name
  return `${base}\n${/^(?:NuGet|Packagist|GitHub Actions)$/.test(base) ? plain.toLowerCase() : plain}`
}
