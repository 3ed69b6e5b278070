import { expect, test } from 'vitest'
import { testDimensions, testVector } from './testing.ts'
import { createVectorIndex, packed } from './vectors.ts'

const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, number, at) => sum + number * b[at]!, 0)

test('a packed vector keeps cosines to a hundredth, half of the description and half of the best example', () => {
  const index = createVectorIndex({ dimensions: testDimensions })
  const [description, ...examples] = ['find secrets in code', 'is there a password', 'scan a commit'].map(
    (text) => testVector(text),
  )
  index.set(3, [description!, ...examples].map(packed))
  const query = testVector('scan code for a password')
  const best = Math.max(...examples.map((example) => cosine(query, example)))
  expect(index.comparedWith(query).one(3)).toEqual({
    whole: expect.closeTo((cosine(query, description!) + best) / 2, 2),
    description: expect.closeTo(cosine(query, description!), 2),
    example: expect.closeTo(best, 2),
    exampleIndex: examples.findIndex((example) => cosine(query, example) === best),
  })
  expect(index.comparedWith(query).one(2)).toBeNull()
  const { likeness } = index.comparedWith(query).all(Uint8Array.from([1, 1, 1, 1]))
  expect([...likeness]).toEqual([0, 0, 0, expect.closeTo((cosine(query, description!) + best) / 2, 2)])
})

test('vectors of any length are compared', () => {
  const index = createVectorIndex({ dimensions: 5 })
  for (const [slot, vector] of [
    [0.6, 0, 0, 0, 0.8],
    [0, 1, 0, 0, 0],
    [0, 0, 0, 0, -1],
  ].entries())
    index.set(slot, [packed(Float32Array.from(vector))])
  const { likeness } = index.comparedWith(Float32Array.from([0, 0, 0, 0, 1])).all(Uint8Array.from([1, 1, 1]))
  expect([...likeness]).toEqual([0.8, 0, -1].map((cosine) => expect.closeTo(cosine, 2)))
})

test('a vector of another size is refused', () => {
  const index = createVectorIndex({ dimensions: testDimensions })
  expect(() => index.set(0, [packed(new Float32Array(3))])).toThrow('a vector of 3 numbers, not 64')
})
