import { text } from '../../kit/arguments.ts'
import { badInput } from '../../kit/errors.ts'
import type { WebhookEventKind } from '../schema.generated.ts'
import type { WebhookWish } from './store.ts'

const longestUrl = 2_000
const longestName = 200
const mostNames = 100
const mostOverlapMinutes = 7 * 24 * 60

type Given = {
  url?: string | null
  kinds?: readonly WebhookEventKind[] | null
  listingIds?: readonly string[] | null
  categories?: readonly string[] | null
  includePrivate?: boolean | null
}

export const everything: Omit<WebhookWish, 'url' | 'kinds'> = {
  listingIds: null,
  categories: null,
  includePrivate: false,
}

/** What a webhook is to be: what is not given stays as it was. Of lists, null is any. */
export function readWish(input: Given, was: WebhookWish): WebhookWish {
  return {
    url: input.url == null ? was.url : readUrl(input.url),
    kinds: input.kinds == null ? was.kinds : readKinds(input.kinds),
    listingIds:
      input.listingIds === undefined ? was.listingIds : readNames(input.listingIds, 'input.listingIds'),
    categories:
      input.categories === undefined ? was.categories : readNames(input.categories, 'input.categories'),
    includePrivate: input.includePrivate ?? was.includePrivate,
  }
}

export function readOverlap(minutes: number): number {
  if (minutes >= 0 && minutes <= mostOverlapMinutes) return minutes * 60_000
  throw badInput(`overlapMinutes is ${minutes}`, 'input.overlapMinutes', `0 to ${mostOverlapMinutes}`)
}

/** As it is called: normalised, and without what is not sent. */
function readUrl(given: string): string {
  const url = URL.parse(text(given, 'input.url', longestUrl))
  if (!url) throw badInput('input.url is no URL', 'input.url', 'an https URL')
  url.hash = ''
  return url.href
}

function readKinds(kinds: readonly WebhookEventKind[]): WebhookEventKind[] {
  if (kinds.length === 0) throw badInput('input.kinds is empty', 'input.kinds', 'at least one kind')
  if (kinds.includes('PING'))
    throw badInput(
      'a ping is sent when it is asked for',
      'input.kinds',
      'kinds of what happens in the catalogue',
    )
  return [...new Set(kinds)]
}

function readNames(names: readonly string[] | null, argument: string): string[] | null {
  if (names === null) return null
  if (names.length === 0 || names.length > mostNames)
    throw badInput(`${argument} has ${names.length} entries`, argument, `1 to ${mostNames}, or null for any`)
  return [...new Set(names.map((name) => text(name, argument, longestName)))]
}
