type Schema = Record<string, unknown>

export type TestManifest = {
  apiVersion: string
  kind: string
  metadata: { name: string; version: string; description: string; license?: string }
  spec: {
    type: string
    subtype: string
    role: string
    capabilities: {
      name: string
      description: string
      input: Schema & { properties: Record<string, Schema> }
      output: Schema
      examples: { description: string; input: Record<string, unknown> }[]
    }[]
    performance?: { p95LatencyMs?: number; throughputPerSecond?: number }
    sbom?: unknown
  } & Record<string, unknown>
}

/** A manifest that nothing is wrong with; `input` is what it takes, a text. */
export const cleanManifest = (name: string, description: string, input: string): TestManifest => ({
  apiVersion: 'ossa/v0.5',
  kind: 'Agent',
  metadata: { name, version: '1.0.0', description, license: 'Apache-2.0' },
  spec: {
    type: 'worker',
    subtype: `worker.${name.split('-')[0]}`,
    role: `You work as a ${name.replaceAll('-', ' ')}. Answer what is asked, and say so where you can not.`,
    capabilities: [
      {
        name: 'answer',
        description,
        input: {
          type: 'object',
          properties: { [input]: { description: 'What it is about', type: 'string', maxLength: 2_000 } },
          required: [input],
          additionalProperties: false,
        },
        output: {
          type: 'object',
          properties: { text: { description: 'The answer', type: 'string' } },
          required: ['text'],
        },
        examples: ['first', 'second', 'third'].map((which) => ({
          description: `The ${which} question of a day`,
          input: { [input]: `what the ${which} person asks` },
        })),
      },
    ],
  },
})

type SbomComponent = { name: string; version: string; ecosystem?: string; license?: string }

/** CycloneDX 1.6 of components from npm, or where they are from. */
export const sbomWith = (components: readonly SbomComponent[]) => ({
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  components: components.map(({ name, version, ecosystem = 'npm', license = 'MIT' }) => ({
    type: 'library',
    name,
    version,
    purl: `pkg:${ecosystem}/${name}@${version}`,
    licenses: [{ license: { id: license } }],
  })),
})
