import { expect, test } from 'vitest'
import { definitionNames, definitionsFolder, readDefinition, readPlan } from './definition.ts'

test('the definitions of the repository are whole', async () => {
  const names = await definitionNames(definitionsFolder)
  const read = await Promise.all(names.map((name) => readDefinition(definitionsFolder, name)))
  expect(
    read.map(({ plan: { name, tokenBudget, maxIterations, phases } }) => ({
      name,
      tokenBudget,
      maxIterations,
      phases: phases.map((phase) => phase.name),
    })),
  ).toEqual([
    { name: 'foundation-93agents', tokenBudget: 60_000, maxIterations: 5, phases: ['foundation'] },
    {
      name: 'phase3-150agent-deployment',
      tokenBudget: 50_000,
      maxIterations: 5,
      phases: ['3A', '3B', '3C'],
    },
  ])
})

const text = `name: plan
description: Does things.
tokenBudget: 10
maxIterations: 1
phases:
  - name: one
    description: The first.
    select: { phase: one }
    actions: [deploy]
convergence:
  - { name: active-agents, target: 1 }
`

test.each([
  ['tokenBudget: 10', 'tokenBudget: many', 'plan.yaml:3: tokenBudget: '],
  ['actions: [deploy]', 'actions: [destroy]', 'plan.yaml:9: phases.0.actions.0: '],
  ['name: active-agents', 'name: happy-agents', 'plan.yaml:11: convergence.0.name: '],
  ['phases:', 'phases: [', 'plan.yaml:'],
])('%s written as %s is told with its line', (found, replaced, expected) => {
  const parse = () => readPlan(text.replace(found, replaced), 'plan.yaml', 'definition')
  expect(parse).toThrow(expected)
  expect(parse).toThrow(
    expect.objectContaining({
      code: 'BAD_USER_INPUT',
      argument: expect.stringMatching(/^definition/),
      expected: expect.any(String),
    }),
  )
})
