import MarkdownIt from 'markdown-it'
import sanitize from 'sanitize-html'
import { DeadlinePassed, withinMs } from '../../kit/deadline.ts'
import { badInput } from '../../kit/errors.ts'
import { problemOf } from './address.ts'

/** Markdown as it was written, and the HTML that it comes to. */
export type Rendered = { markdown: string; html: string }

/** Grows with every change of what HTML is let through: what was rendered by older rules is rendered anew when it is read. */
export const rules = 1

const mostHtmlCharacters = 256 * 1024

/** Refuses what is too long, or does not come to HTML of a decent size in time. */
export function readMarkdown(
  markdown: string,
  argument: string,
  { mostBytes, idPrefix, longestMs = 1_000 }: { mostBytes: number; idPrefix: string; longestMs?: number },
): Rendered {
  if (markdown.trim() === '' || Buffer.byteLength(markdown) > mostBytes || markdown.includes('\0'))
    throw badInput(`${argument} does not fit`, argument, `text of at most ${mostBytes} bytes, no NUL`)
  try {
    const html = withinMs(longestMs, () => htmlOf(markdown, idPrefix))
    if (html.length <= mostHtmlCharacters) return { markdown, html }
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error
  }
  const expected = `what comes to ${mostHtmlCharacters} characters of HTML within ${longestMs} ms`
  throw badInput(`${argument} can not be rendered`, argument, expected)
}

/**
 * CommonMark with GFM's tables and strikethrough; of raw HTML, of addresses and of attributes what is known to be harmless.
 * Its headings have ids, all of which begin with the prefix, and links within it lead to them.
 */
export function htmlOf(markdown: string, idPrefix: string): string {
  const parser = new MarkdownIt({ html: true })
  parser.core.ruler.push('attributes', ({ tokens }) => {
    const taken = new Map<string, number>()
    for (const [index, token] of tokens.entries()) {
      if (token.type === 'heading_open')
        token.attrSet('id', headingId(plainText(tokens[index + 1]?.children ?? []), taken))
      // Styles are not let through.
      const align = /^text-align:(left|right|center)$/.exec(`${token.attrGet('style')}`)?.[1]
      if (align !== undefined) token.attrSet('align', align)
    }
  })
  return sanitize(parser.render(markdown), letThrough(idPrefix))
}

const plainText = (tokens: readonly { type: string; content: string }[]): string =>
  tokens.map(({ type, content }) => (type === 'text' || type === 'code_inline' ? content : '')).join('')

/** As the usual hosts of repositories make them: links within a README are written for those. */
function headingId(heading: string, taken: Map<string, number>): string {
  const id = heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
  const before = taken.get(id) ?? 0
  taken.set(id, before + 1)
  return before === 0 ? id : `${id}-${before}`
}

const words = (text: string): string[] => text.trim().split(/\s+/)

const headings = words('h1 h2 h3 h4 h5 h6')
const tags = words(`
  h1 h2 h3 h4 h5 h6 p div br hr blockquote ul ol li dl dt dd pre details summary
  a img span code kbd samp em i strong b s del ins sub sup
  table caption thead tbody tfoot tr th td`)

/** What these hold is no text that anybody meant to be read. */
const unread = words(`
  script style textarea option xmp noscript noembed noframes template title iframe object svg math`)

const align = { name: 'align', values: ['left', 'right', 'center'] }

const letThrough = (idPrefix: string): sanitize.IOptions => ({
  allowedTags: tags,
  allowedAttributes: {
    ...Object.fromEntries(headings.map((name) => [name, ['id', align]])),
    a: ['href', 'title', 'rel'],
    img: ['src', 'alt', 'title', 'width', 'height', 'loading', 'referrerpolicy'],
    p: [align],
    div: [align],
    details: ['open'],
    ol: ['start'],
    th: ['colspan', 'rowspan', align],
    td: ['colspan', 'rowspan', align],
  },
  allowedClasses: { code: [/^language-[\w+#.-]{1,40}$/] },
  allowedSchemes: ['https', 'http', 'mailto'],
  allowedSchemesByTag: { img: ['https'] },
  allowProtocolRelative: false,
  nonTextTags: unread,
  nestingLimit: 60,
  parseStyleAttributes: false,
  transformTags: {
    ...Object.fromEntries(headings.map((name) => [name, prefixed(idPrefix)])),
    a: (tagName, { title, href }) => {
      const to = addressOf(href, idPrefix)
      if (to === null) return { tagName: 'span', attribs: {} }
      return {
        tagName,
        attribs: { href: to, ...(title !== undefined && { title }), rel: 'nofollow noopener noreferrer' },
      }
    },
    // Whoever hosts an image is not told on which page it is seen.
    img: (tagName, { src, alt = '', title, width, height }) => {
      const shown = { alt, ...(title !== undefined && { title }), ...size({ width, height }) }
      if (src === undefined || problemOf(src) !== null) return { tagName: 'span', attribs: {}, text: alt }
      return { tagName, attribs: { src, ...shown, loading: 'lazy', referrerpolicy: 'no-referrer' } }
    },
  },
})

const prefixed =
  (idPrefix: string): sanitize.Transformer =>
  (tagName, { id, ...attribs }) => ({
    tagName,
    attribs: { ...attribs, ...(id !== undefined && { id: `${idPrefix}${id}` }) },
  })

/** What a link leads to; null where that is relative to a place that nobody here knows, or nothing that a link should open. */
function addressOf(href: string | undefined, idPrefix: string): string | null {
  if (href === undefined) return null
  if (href.startsWith('#')) return `#${idPrefix}${href.slice(1)}`
  return URL.canParse(href) && ['https:', 'http:', 'mailto:'].includes(new URL(href).protocol) ? href : null
}

const size = (given: { width: string | undefined; height: string | undefined }): Record<string, string> =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      value !== undefined && /^\d{1,4}%?$/.test(value) ? [[name, value]] : [],
    ),
  )
