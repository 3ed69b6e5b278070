import type { IncomingHttpHeaders } from 'node:http'

/** How long an answer may be used again, and by whom. */
export type Freshness = {
  maxAgeMs: number
  /** By everybody, or by whoever asks with the same credentials and headers. */
  isShared: boolean
  /** Whether it is one person's, so that it is not even kept for the anonymous. */
  isPersonal: boolean
}

/**
 * What the HTTP headers of a subgraph's answer allow (RFC 9111); null where they allow nothing, undefined where they say
 * nothing. Without `public` or `s-maxage` the answer belongs to whoever asked, and so it does where it varies with a
 * header that was sent.
 */
export function freshnessOf(
  headers: IncomingHttpHeaders,
  sent: ReadonlySet<string>,
): Freshness | null | undefined {
  const { 'cache-control': control, vary, age } = headers
  if (control === undefined) return undefined
  const directives = directivesIn(control)
  const seconds = directives.get('s-maxage') ?? directives.get('max-age')
  if (seconds === undefined || !/^\d{1,9}$/.test(seconds)) return null
  if (directives.has('no-store') || directives.has('no-cache')) return null
  const varying = (vary ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  const maxAgeMs = (Number(seconds) - (Number(age ?? 0) || 0)) * 1000
  if (varying.includes('*') || maxAgeMs <= 0) return null
  const isPersonal = directives.has('private')
  const isPublic = directives.has('public') || directives.has('s-maxage')
  return {
    maxAgeMs,
    isPersonal,
    isShared: isPublic && !isPersonal && !varying.some((name) => sent.has(name)),
  }
}

// A directive that is given twice counts as it is given last, save that what forbids always counts.
function directivesIn(control: string): Map<string, string> {
  const directives = new Map<string, string>()
  for (const part of control.toLowerCase().split(',')) {
    const [name = '', value = ''] = part.split('=', 2).map((each) => each.trim())
    directives.set(name, value.replaceAll('"', ''))
  }
  return directives
}

/** What both allow. */
export function narrower(a: Freshness, b: Freshness): Freshness {
  const isPersonal = a.isPersonal || b.isPersonal
  return {
    maxAgeMs: Math.min(a.maxAgeMs, b.maxAgeMs),
    isPersonal,
    isShared: a.isShared && b.isShared && !isPersonal,
  }
}
