import { expect, test } from 'vitest'
import { addressPlaces, withValue } from './address-inputs.ts'

test('addresses are taken by formats, by names, and where an example has one', () => {
  const schema = {
    type: 'object',
    properties: {
      target: { type: 'string', format: 'uri' },
      callbackUrl: { type: 'string' },
      region: { type: 'string', enum: ['eu', 'us'] },
      sources: { type: 'array', items: { type: 'object', properties: { link: { type: 'string' } } } },
      text: { type: 'string' },
    },
  }
  const example = {
    text: 'https://a.example/b',
    nested: ['http://c.example'],
    other: 'see https://a.example',
  }
  expect(addressPlaces(schema, example)).toEqual([
    ['target'],
    ['callbackUrl'],
    ['sources', 0, 'link'],
    ['text'],
    ['nested', 0],
  ])
})

test('a value is put where it belongs, and what is missing on the way is made', () => {
  const input = { kept: 1, sources: [{ kept: 2 }] }
  expect(withValue(input, ['sources', 0, 'link'], 'x')).toEqual({
    kept: 1,
    sources: [{ kept: 2, link: 'x' }],
  })
  expect(withValue({}, ['sources', 0, 'link'], 'x')).toEqual({ sources: [{ link: 'x' }] })
  expect(input).toEqual({ kept: 1, sources: [{ kept: 2 }] })
})
