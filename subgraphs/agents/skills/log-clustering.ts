import { z } from 'zod'
import { skill } from './skill.ts'

/** Each matches a whole word, anchored and without nested repetition. */
const masks = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  ipv4: /^\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?$/,
  hex: /^(0x)?(?=[0-9a-f]*\d)[0-9a-f]{6,64}$/i,
  number: /^[-+]?\d+(\.\d+)?(ms|s|%|kb|mb|gb)?$/i,
  path: /^(\/[\w.-]+)+\/?$/,
}
const wildcard = '<*>'
type Cluster = { template: string[]; count: number; example: number }

/** The few kinds of line that many log lines are, after Drain: fixed depth, then likeness of words. */
export const logClustering = skill({
  name: 'log-clustering',
  configuration: z.strictObject({
    /** Share of words that must agree. */
    similarity: z.number().min(0).max(1),
    /** Lines are of one kind only if their first words agree. */
    prefixWords: z.int().min(0).max(5),
    masks: z.array(z.enum(['uuid', 'ipv4', 'hex', 'number', 'path'])).max(5),
    order: z.enum(['most-frequent', 'rarest']),
  }),
  input: z.strictObject({
    lines: z.array(z.string().min(1).max(1000)).min(1).max(500).describe('Without their time stamps'),
  }),
  output: z.strictObject({
    clusters: z
      .array(
        z.strictObject({
          template: z.string().describe('The line, <*> where it varies'),
          count: z.int().describe('Lines of the kind'),
          example: z.int().describe('Index of the first of them'),
        }),
      )
      .describe('At most 50'),
    kinds: z.int().describe('How many kinds there are'),
  }),
  run({ lines }, { similarity, prefixWords, masks: names, order }) {
    const masked = (word: string) => {
      const bare = word.replace(/[,;:)\]}"']{1,4}$/, '').replace(/^[([{"']{1,4}/, '')
      return names.some((name) => masks[name].test(bare)) ? word.replace(bare, wildcard) : word
    }
    const leaves = new Map<string, Cluster[]>()
    for (const [example, line] of lines.entries()) {
      const words = line.trim().split(/\s+/).map(masked)
      const leaf = JSON.stringify([words.length, ...words.slice(0, prefixWords)])
      const clusters = leaves.get(leaf) ?? []
      leaves.set(leaf, clusters)
      const closest = clusters
        .map((cluster) => ({ cluster, likeness: likeness(cluster.template, words) }))
        .toSorted((a, b) => b.likeness - a.likeness)[0]
      if (closest && closest.likeness >= similarity) {
        const { cluster } = closest
        cluster.count++
        cluster.template = cluster.template.map((word, i) => (word === words[i] ? word : wildcard))
      } else clusters.push({ template: words, count: 1, example })
    }
    const sign = order === 'most-frequent' ? 1 : -1
    const clusters = [...leaves.values()]
      .flat()
      .toSorted((a, b) => sign * (b.count - a.count) || a.example - b.example)
    return {
      clusters: clusters
        .slice(0, 50)
        .map(({ template, count, example }) => ({ template: template.join(' '), count, example })),
      kinds: clusters.length,
    }
  },
})

const likeness = (template: string[], words: string[]) =>
  template.filter((word, index) => word === words[index]).length / words.length
