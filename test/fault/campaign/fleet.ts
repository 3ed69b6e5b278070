const any = (properties: object, required: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

/** What an agent is asked, and what it answers when all is well. */
export type Example = { capability: string; input: object; output: object }

const content = '{"hello": "world"}'
const digest = 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:'

export const digestExample: Example = {
  capability: 'verify',
  input: { content, digest },
  output: {
    verified: true,
    sizeBytes: content.length,
    checks: [{ algorithm: 'sha-256', outcome: 'MATCH' }],
  },
}

export const sumExample: Example = {
  capability: 'add',
  input: { a: 19, b: 4 },
  output: { sum: 23, note: '' },
}

/** An agent of a pool. */
export function pooled(id: string, pool: string, version = '1.0.0'): string {
  const inputs = [content, 'legacy', 'something else'].map((each) => ({ content: each, digest }))
  return manifest(id, version, {
    labels: { pool },
    spec: { type: 'verifier', subtype: 'verifier.campaign' },
    capability: {
      name: digestExample.capability,
      description: 'Whether a body matches its digest.',
      skill: 'content-digest',
      configuration: { format: 'content-digest', algorithms: ['sha-256'] },
      input: any({ content: { type: 'string' }, digest: { type: 'string' } }, ['content', 'digest']),
      output: any(
        { verified: { type: 'boolean' }, sizeBytes: { type: 'integer' }, checks: { type: 'array' } },
        ['verified', 'sizeBytes', 'checks'],
      ),
      examples: inputs.map((input, place) => ({ description: `Is body ${place + 1} whole?`, input })),
    },
  })
}

/** An agent elsewhere, see served.ts. */
export function elsewhere(id: string, endpoint: string, version = '1.0.0'): string {
  return manifest(id, version, {
    labels: {},
    spec: { type: 'worker', subtype: 'worker.campaign', endpoint },
    capability: {
      name: sumExample.capability,
      description: 'Adds two numbers.',
      input: any({ a: { type: 'integer' }, b: { type: 'integer' } }, ['a', 'b']),
      output: any({ sum: { type: 'integer' }, note: { type: 'string' } }, ['sum', 'note']),
      examples: [1, 2, 3].map((a) => ({ description: `What is ${a} and 4?`, input: { a, b: 4 } })),
    },
  })
}

const manifest = (
  name: string,
  version: string,
  { labels, spec, capability }: { labels: object; spec: object; capability: object },
) =>
  JSON.stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version,
      description: 'Takes part in a campaign of faults, whose seeds choose what becomes of it.',
      labels,
    },
    spec: {
      ...spec,
      role: 'You do what you are asked, until a fault keeps you from it.',
      visibility: 'PUBLIC',
      capabilities: [capability],
      protocols: { a2a: { version: '1.0' } },
      budgets: { tokensPerCall: 2_000 },
      performance: { p95LatencyMs: 500, throughputPerSecond: 20 },
      dependencies: [],
    },
  })
