/** What a category is called, from its name: `worker.pii-redaction` is PII redaction. */
export function titleOf(category: string): string {
  const words = category
    .split('.')
    .slice(1)
    .join(' ')
    .split(/[-\s]+/)
    .filter(Boolean)
  const written = words.map((word) => (acronyms.has(word) ? word.toUpperCase() : word)).join(' ')
  return written === '' ? category : written[0]!.toUpperCase() + written.slice(1)
}

/** One of the nine, in small letters. */
export const typeOf = (category: string): string => category.split('.')[0]!

const acronyms = new Set([
  'a2a',
  'api',
  'mcp',
  'pii',
  'sbom',
  'sla',
  'slo',
  'sql',
  'ssrf',
  'tls',
  'ttl',
  'ui',
])
