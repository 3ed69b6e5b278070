export type Histogram<L extends string> = {
  /** What counts values under these labels. */
  of(labels: Readonly<Record<L, string>>): (value: number) => void
  /** In Prometheus' text format; labels are not told before their first value. */
  text(): string
}

type Options = { name: string; help: string; buckets: readonly number[] }

type Series = { labels: string; counts: Float64Array; sum: number }

/** A Prometheus histogram. prom-client's looks its labels up and hashes them for each value: 1.3 µs instead of 0.01. */
export function createHistogram<L extends string>({ name, help, buckets }: Options): Histogram<L> {
  const all = new Map<string, Series>()

  function linesOf({ labels, counts, sum }: Series): string[] {
    let count = 0
    const reached = [...buckets, '+Inf'].map((bound, index) => {
      count += counts[index]!
      return `${name}_bucket{${labels}${labels && ','}le="${bound}"} ${count}`
    })
    const told = labels && `{${labels}}`
    return labels && count === 0
      ? []
      : [...reached, `${name}_sum${told} ${sum}`, `${name}_count${told} ${count}`]
  }

  return {
    of(labels) {
      const texts = Object.entries<string>(labels).map(([label, value]) => `${label}="${escaped(value)}"`)
      const text = texts.join()
      // The last count is for what is above all bounds.
      const series = all.get(text) ?? { labels: text, counts: new Float64Array(buckets.length + 1), sum: 0 }
      all.set(text, series)
      return (value) => {
        let index = 0
        while (index < buckets.length && value > buckets[index]!) index++
        series.counts[index]!++
        series.sum += value
      }
    },
    text: () =>
      [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...[...all.values()].flatMap(linesOf), ''].join(
        '\n',
      ),
  }
}

const escaped = (value: string): string =>
  value.replaceAll(/["\\\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
