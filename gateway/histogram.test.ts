import { expect, test } from 'vitest'
import { createHistogram } from './histogram.ts'

test('values are counted up to the bounds that they reach, by labels, in Prometheus’ text format', () => {
  const histogram = createHistogram<'of' | 'how'>({ name: 'sizes', help: 'How large.', buckets: [1, 2.5] })
  const large = histogram.of({ of: 'a "b"\\\n', how: 'x' })
  histogram.of({ of: 'nothing', how: 'x' })
  for (const value of [0.5, 1, 2, 2.5]) large(value)
  histogram.of({ of: 'a "b"\\\n', how: 'x' })(4)
  const labels = String.raw`of="a \"b\"\\\n",how="x"`
  expect(histogram.text()).toBe(`# HELP sizes How large.
# TYPE sizes histogram
sizes_bucket{${labels},le="1"} 2
sizes_bucket{${labels},le="2.5"} 4
sizes_bucket{${labels},le="+Inf"} 5
sizes_sum{${labels}} 10
sizes_count{${labels}} 5
`)
})

test('without labels', () => {
  const histogram = createHistogram<never>({ name: 'sizes', help: 'How large.', buckets: [1] })
  histogram.of({})(3)
  expect(histogram.text()).toContain(`
sizes_bucket{le="1"} 0
sizes_bucket{le="+Inf"} 1
sizes_sum 3
sizes_count 1
`)
})
