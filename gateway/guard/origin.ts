import type { IncomingHttpHeaders } from 'node:http'
import { refusal } from '../refusal.ts'

/**
 * The origin of the page that sent the request where it is one of the allowed ones; null where the gateway's own page
 * did, or no page. Throws FOREIGN_ORIGIN for the pages of all others. Only browsers send the headers that are asked:
 * nothing is demanded of other clients.
 */
export type Origins = (headers: IncomingHttpHeaders) => string | null

export function createOrigins(allowed: readonly string[]): Origins {
  return ({ origin, host, referer, 'sec-fetch-site': site }) => {
    if (origin !== undefined) {
      if (allowed.includes(origin)) return origin
      if (site === undefined ? hostOf(origin) === host : isOwn(site)) return null
      throw foreign(origin)
    }
    if (site !== undefined) {
      if (isOwn(site)) return null
      throw foreign('another origin')
    }
    // Browsers from before Sec-Fetch-Site (2023) send no Origin with what a page embeds.
    if (referer === undefined || hostOf(referer) === host) return null
    throw foreign(referer)
  }
}

/** What an answer to a page of the origin says; its browser keeps it from the page else. */
export const corsHeaders = (origin: string): Record<string, string> => ({
  'access-control-allow-origin': origin,
  'access-control-expose-headers': 'retry-after',
})

/** What an allowed origin's page may send. */
export function preflightHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const asked = headers['access-control-request-headers']
  return {
    'access-control-allow-methods': 'GET, POST',
    ...(typeof asked === 'string' && { 'access-control-allow-headers': asked }),
    'access-control-max-age': '600',
  }
}

// `none` is what a person typed.
const isOwn = (site: string | string[]) => site === 'same-origin' || site === 'none'

const hostOf = (url: string): string | null => URL.parse(url)?.host ?? null

const foreign = (origin: string) =>
  refusal('FOREIGN_ORIGIN', `pages of ${origin.slice(0, 200)} may not use this gateway`)
