import type { Db, Transaction } from '@community/infra/postgres.ts'
import { htmlOf, type Rendered, rules } from './markdown.ts'

type Media = { kind: 'IMAGE' | 'VIDEO'; url: string; alt: string }

/** What an owner says of a listing, but for its README. */
export type PageRow = {
  media: Media[]
  homepage: string | null
  repository: string | null
  documentation: string | null
  /** Grows by one with every change; 0 where nothing was ever written. */
  revision: number
}

export const readmePrefix = 'readme-'

const nothing: PageRow = { media: [], homepage: null, repository: null, documentation: null, revision: 0 }

/** In the order of `ids`. */
export async function pagesById(db: Db, ids: readonly string[]): Promise<PageRow[]> {
  const { rows } = await db.query<PageRow & { id: string }>(
    `select listing_id as id, media, homepage, repository, documentation, revision from listing_page
     where listing_id = any($1)`,
    [ids],
  )
  const byId = new Map(rows.map(({ id, ...page }) => [id, page]))
  return ids.map((id) => byId.get(id) ?? nothing)
}

/** In the order of `ids`; null where there is none. */
export async function readmesById(db: Db, ids: readonly string[]): Promise<(Rendered | null)[]> {
  const { rows } = await db.query<Stored & { id: string }>(
    `select listing_id as id, readme as markdown, readme_html as html, readme_rules as rules from listing_page
     where listing_id = any($1) and readme is not null`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => asOfNow(byId.get(id) ?? null, readmePrefix))
}

export type Stored = Rendered & { rules: number }

/** By the rules that are in force. */
export function asOfNow(stored: Stored | null, idPrefix: string): Rendered | null {
  if (!stored) return null
  const { markdown, html } = stored
  return { markdown, html: stored.rules === rules ? html : htmlOf(markdown, idPrefix) }
}

export type PageChange = { readme?: Rendered | null } & Partial<Omit<PageRow, 'revision'>>

/** The listing's page and its README; nobody else changes them until the transaction ends. */
export async function lockPage(tx: Transaction, id: string): Promise<PageRow & { readme: string | null }> {
  await tx.query('insert into listing_page (listing_id) values ($1) on conflict do nothing', [id])
  const { rows } = await tx.query<PageRow & { readme: string | null }>(
    `select media, homepage, repository, documentation, revision, readme from listing_page
     where listing_id = $1 for update`,
    [id],
  )
  if (!rows[0]) throw new Error(`the page of ${id} can not be written`)
  return rows[0]
}

/** What is not given stays. */
export async function updatePage(
  tx: Transaction,
  id: string,
  { readme, media, homepage, repository, documentation }: PageChange,
): Promise<void> {
  const params: unknown[] = [id]
  const sets: string[] = []
  const set = (column: string, value: unknown) => {
    if (value !== undefined) sets.push(`${column} = $${params.push(value)}`)
  }
  set('readme', readme === null ? null : readme?.markdown)
  set('readme_html', readme === null ? null : readme?.html)
  set('readme_rules', readme === null ? null : readme && rules)
  set('media', media && JSON.stringify(media))
  set('homepage', homepage)
  set('repository', repository)
  set('documentation', documentation)
  await tx.query(
    `update listing_page set ${[...sets, 'revision = revision + 1', 'updated_at = now()'].join(', ')}
     where listing_id = $1`,
    params,
  )
}
