export const referenceTypes = ['CONTEXT', 'DATA', 'STATE', 'METRICS', 'TEMPORAL'] as const
export type ReferenceType = (typeof referenceTypes)[number]

export type Reference = {
  /** As it stands in a prompt, with its braces. */
  token: string
  type: ReferenceType
  kind: string
  /** Empty where there is none, as in `{TEMPORAL:now}`. */
  id: string
}

const body = '(CONTEXT|DATA|STATE|METRICS|TEMPORAL):([a-z][a-z0-9-]{0,39})(?::([A-Za-z0-9][\\w./@-]{0,119}))?'
const anywhere = new RegExp(`\\{${body}\\}`, 'g')

/** What a whole string must be to be a reference. */
export const referencePattern = new RegExp(`^\\{${body}\\}$`)

/** How long a copy may be used, in seconds; what tells the time is never kept. */
export const timeToLiveSeconds: Record<ReferenceType, number> = {
  CONTEXT: 300,
  DATA: 600,
  STATE: 60,
  METRICS: 60,
  TEMPORAL: 0,
}

/** In the order of the text, repeats included. */
export const referencesIn = (text: string): Reference[] =>
  Array.from(text.matchAll(anywhere), ([token, type, kind = '', id = '']) => ({
    token,
    type: type as ReferenceType,
    kind,
    id,
  }))

export const replaceReferences = (text: string, replacement: (token: string) => string): string =>
  text.replace(anywhere, (token) => replacement(token))

/** What `{TEMPORAL:kind}` stands for; null for a kind that there is not. */
export function temporalValue(kind: string, now: Date): string | null {
  const iso = now.toISOString()
  switch (kind) {
    case 'now':
      return iso
    case 'date':
      return iso.slice(0, 10)
    case 'week':
      return isoWeek(now)
    default:
      return null
  }
}

/** ISO 8601: a week belongs to the year of its Thursday. */
function isoWeek(now: Date): string {
  const thursday = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()))
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7))
  const days = (thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / 86_400_000
  return `${thursday.getUTCFullYear()}-W${String(Math.floor(days / 7) + 1).padStart(2, '0')}`
}
