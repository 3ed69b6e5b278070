import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkPlan } from './check.ts'
import { readPlan } from './definition.ts'
import type { KnownAgent } from './known.ts'
import { planSchema, planSchemaFile } from './plan-schema.ts'
import { refusal } from './source.ts'

const repeat = {
  name: 'repeat',
  input: {
    type: 'object',
    required: ['text'],
    additionalProperties: false,
    properties: { text: { type: 'string' }, times: { type: 'integer', minimum: 1 } },
  },
}
const agent = (id: string, labels: Record<string, string>): KnownAgent => ({
  id,
  organizationId: 'ossa',
  version: '1.0.0',
  labels,
  tokensPerCall: null,
  capabilities: [repeat],
  inFleet: false,
})
const known = new Map(
  [agent('one', { team: 'a' }), agent('two', { team: 'a' }), agent('three', { team: 'b' })].map((each) => [
    each.id,
    each,
  ]),
)

const head = `name: plan
description: Does things.
tokenBudget: 2000
maxIterations: 1
tokensPerCall: 300
convergence: [{ name: failed-steps, target: 0 }]
phases:
`
const phase = (steps: string, name = 'first') =>
  `  - name: ${name}\n    description: Some.\n    steps:\n${steps.replace(/^/gm, '      ')}\n`
const ask = (name: string, rest = '') =>
  `- { name: ${name}, action: invoke, agent: one, capability: repeat, input: { text: again }${rest && `, ${rest}`} }`

function checked(text: string) {
  const { plan, source } = readPlan(text, 'source', 'source')
  const found = checkPlan(plan, known)
  return { ...found, told: refusal(source, found.problems).message.split('\n').filter(Boolean) }
}
const toldOf = (...steps: string[]) => checked(head + phase(steps.join('\n'))).told

test('a whole plan has no problems, its selections are found and its tokens estimated', () => {
  const { told, definition, steps } = checked(
    head +
      phase(
        [
          '- { name: all, action: invoke, select: { team: a }, capability: repeat, input: { text: again } }',
          '- { name: pause, action: wait, forMs: 10, dependsOn: [all] }',
          ask('then', 'when: [{ step: all, path: /one/text, equals: again }], retries: { attempts: 3 }'),
        ].join('\n'),
      ) +
      phase('- { name: ok, action: approve, message: Go on?, dependsOn: [then] }', 'second'),
  )
  expect(told).toEqual([])
  expect(definition.agents?.all).toEqual([
    { id: 'one', organizationId: 'ossa', version: '1.0.0', tokens: 300, undoTokens: 0 },
    { id: 'two', organizationId: 'ossa', version: '1.0.0', tokens: 300, undoTokens: 0 },
  ])
  expect(
    steps.map(({ name, agentId, dependsOn, conditional, greatestTokens }) => ({
      name,
      agentId,
      dependsOn,
      conditional,
      greatestTokens,
    })),
  ).toEqual([
    { name: 'all', agentId: 'one', dependsOn: [], conditional: false, greatestTokens: 300 },
    { name: 'all', agentId: 'two', dependsOn: [], conditional: false, greatestTokens: 300 },
    { name: 'pause', agentId: null, dependsOn: ['all'], conditional: false, greatestTokens: 0 },
    { name: 'then', agentId: 'one', dependsOn: ['all'], conditional: true, greatestTokens: 900 },
    { name: 'ok', agentId: null, dependsOn: ['then'], conditional: true, greatestTokens: 0 },
  ])
  expect(steps[0]?.leastTokens).toBeGreaterThan(5)
  expect(steps[3]?.leastTokens).toBe(0)
})

test('a cycle is named whole, with the line where it begins', () => {
  expect(toldOf(ask('a', 'dependsOn: [c]'), ask('b', 'dependsOn: [a]'), ask('c', 'dependsOn: [b]'))).toEqual([
    'source:11: phases.0.steps.0.dependsOn.0: steps that do not wait for each other: a → c → b → a',
  ])
  expect(toldOf(ask('a', 'dependsOn: [a]'))).toEqual([
    'source:11: phases.0.steps.0.dependsOn.0: steps that do not wait for each other: a → a',
  ])
})

test('what a plan names and what is not there is told, all of it at once', () => {
  expect(
    toldOf(
      ask('a', 'dependsOn: [nowhere]'),
      '- { name: b, action: invoke, agent: four, capability: repeat, input: { text: again } }',
      '- { name: c, action: invoke, agent: one, capability: sing, input: {} }',
      '- { name: d, action: invoke, select: { team: z }, capability: repeat, input: { text: again } }',
      '- { name: e, action: deploy, agent: one }',
      ask('a'),
    ),
  ).toEqual([
    'source:11: phases.0.steps.0.dependsOn.0: a step of the plan: there is none called nowhere',
    'source:12: phases.0.steps.1.agent: an agent that is registered or of the fleet: four is not known to you',
    'source:13: phases.0.steps.2.capability: a capability of one: repeat',
    'source:14: phases.0.steps.3.select: labels that an agent of those known to you has: no agent is selected',
    'source:15: phases.0.steps.4.agent: an agent of the fleet: one is none, deploy acts on those',
    'source:16: phases.0.steps.5.name: a name that no other step of the plan has, not a',
  ])
})

test('a step depends on no later phase', () => {
  expect(checked(head + phase(ask('a', 'dependsOn: [b]')) + phase(ask('b'), 'second')).told).toEqual([
    'source:11: phases.0.steps.0.dependsOn.0: a step of this phase or of an earlier one: b comes later',
  ])
  expect(checked(head + phase(ask('a')) + phase(ask('b', 'dependsOn: [a]'), 'second')).told).toEqual([])
})

test('a budget that can not be enough is none of a problem where a person is asked for more', () => {
  const poor = (strategy: string, ...steps: string[]) =>
    checked(head.replace('2000', `1\nbudgetStrategy: ${strategy}`) + phase(steps.join('\n'))).told
  expect(poor('escalate', ask('a', 'tokens: 3000'))).toEqual([])
  expect(poor('block', ask('a', 'budgetStrategy: escalate'))).toEqual([])
  // Of those that wait in line, or fail, nobody asks for what is lacking.
  const lacking = [
    expect.stringMatching(/^source:3: tokenBudget: at least \d+: so many tokens/),
    expect.stringMatching(/^source:12: phases.0.steps.0: a tokenBudget of the plan of at least 300/),
  ]
  expect(poor('queue', ask('a'))).toEqual(lacking)
  expect(poor('escalate', ask('a', 'budgetStrategy: block'))).toEqual(lacking)
  // Another agent may take less, but the message stays as long as it is, and has to be undone by somebody.
  const two = head.replace('2000', '100\nbudgetStrategy: delegate')
  expect(checked(two + phase(ask('a', 'tokens: 3000'))).told).toEqual([])
  expect(poor('delegate', ask('a'))).toEqual([
    expect.stringMatching(/^source:3: tokenBudget: at least \d+: so many tokens/),
    expect.stringMatching(/^source:12: phases.0.steps.0: a tokenBudget of the plan of at least \d\d, /),
  ])
  expect(
    checked(two + phase(ask('a', 'compensate: { capability: repeat, input: { text: undo } }'))).told,
  ).toEqual([
    'source:12: phases.0.steps.0.compensate: an agent that undoes it, whichever has done it',
    expect.stringMatching(/^source:12: phases.0.steps.0: a tokenBudget of the plan of at least 3\d\d, /),
  ])
  expect(() => poor('beg', ask('a'))).toThrow('source:4: budgetStrategy: ')
})

test('a budget that can not be enough is refused, for the plan and for a step', () => {
  const poor = checked(head.replace('2000', '10') + phase(ask('a', 'tokens: 10'))).told
  expect(poor).toEqual([
    expect.stringMatching(
      /^source:3: tokenBudget: at least \d+: so many tokens the plan's messages alone have$/,
    ),
    expect.stringMatching(/^source:11: phases.0.steps.0.input: a shorter message: it has \d+ tokens/),
  ])
  expect(toldOf(ask('a', 'tokens: 3000'))).toEqual([
    "source:11: phases.0.steps.0.tokens: at most 2000, the plan's tokenBudget",
  ])
  const undone = 'compensate: { capability: repeat, input: { text: undo } }'
  expect(checked(head.replace('2000', '500') + phase(ask('a', undone))).told).toEqual([
    'source:11: phases.0.steps.0: a tokenBudget of the plan of at least 600, which asking one and undoing it may take',
  ])
})

test.each([
  [
    'two endings',
    [ask('a'), ask('b', 'when: [{ step: a }, { step: a, is: failed }]')],
    'a would have to be succeeded and failed',
  ],
  [
    'two values',
    [ask('a'), ask('b', 'when: [{ step: a, path: /text, equals: x }, { step: a, path: /text, equals: y }]')],
    'a /text = "x" and a /text = "y" can\'t',
  ],
  [
    'an empty range',
    [ask('a'), ask('b', 'when: [{ step: a, path: /n, atLeast: 3, atMost: 2 }]')],
    'a condition that a value can meet: a /n ≥ 3 ≤ 2',
  ],
  [
    'a step that is never skipped',
    [ask('a'), ask('b', 'when: [{ step: a, is: skipped }]')],
    'a is never skipped',
  ],
  [
    'a wait that fails',
    ['- { name: a, action: wait, forMs: 1 }', ask('b', 'when: [{ step: a, is: failed }]')],
    "a only waits, it can't fail",
  ],
  [
    'an output of a failed step',
    [ask('a'), ask('b', 'when: [{ step: a, is: failed, path: /text }]')],
    'a has no output where it has failed',
  ],
  [
    'a contradiction over two steps',
    [ask('a'), ask('c', 'when: [{ step: a, is: failed }]'), ask('b', 'dependsOn: [a, c]')],
    'a would have to be succeeded and failed',
  ],
])('a step that can never run is told: %s', (_name, steps, expected) => {
  const told = toldOf(...steps)
  expect(told).toHaveLength(1)
  expect(told[0]).toContain(`source:${10 + steps.length}: phases.0.steps.${steps.length - 1}.`)
  expect(told[0]).toContain(expected)
  expect(told[0]).toContain('(b can never run)')
})

test('a step that waits for one that can never run can not run either', () => {
  expect(toldOf(ask('a'), ask('b', 'when: [{ step: a, is: skipped }]'), ask('c', 'dependsOn: [b]'))).toEqual([
    expect.stringContaining('(b can never run)'),
    'source:13: phases.0.steps.2.dependsOn.0: a step that can run: b never does (c can never run)',
  ])
})

test('constant input is held to the schema, what comes from a step is not', () => {
  const step = (name: string, input: string) =>
    `- { name: ${name}, action: invoke, agent: one, capability: repeat, input: ${input} }`
  expect(
    toldOf(
      step('a', '{ text: 3 }'),
      step('b', '{ text: { $from: a, path: /text }, times: 0, more: 1 }'),
      step('c', '{ $from: a }'),
      step('d', '{ text: { $from: a, path: text } }'),
      step('e', '{ times: { $from: p } }'),
      '- { name: p, action: wait, forMs: 1 }',
    ),
  ).toEqual([
    'source:11: phases.0.steps.0.input.text: what repeat of one takes: must be string',
    'source:12: phases.0.steps.1.input: what repeat of one takes: must NOT have additional properties ("more")',
    'source:12: phases.0.steps.1.input.times: what repeat of one takes: must be >= 1',
    'source:14: phases.0.steps.3.input.text: { $from: STEP, path: /a/b }, path being a JSON pointer',
    'source:14: phases.0.steps.3.input.text: what repeat of one takes: must be string',
    'source:15: phases.0.steps.4.input.times: a step that has an output (invoke, approve, gate): p has none',
    "source:15: phases.0.steps.4.input: what repeat of one takes: must have required property 'text'",
  ])
})

test('a phase has steps, or a selection and actions', () => {
  const text = `${head}${phase(ask('a'))}    select: { team: a }\n`
  expect(() => readPlan(text, 'source', 'source')).toThrow(
    'source:8: phases.0: expected either steps, or select and actions',
  )
  expect(() => readPlan(head + phase(ask('a', 'colour: red')), 'source', 'source')).toThrow(
    'source:11: phases.0.steps.0.colour: nothing of this name',
  )
})

test('an alias that multiplies without end is refused', () => {
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c]\n`
  expect(() => readPlan(bomb, 'source', 'source')).toThrow(
    expect.objectContaining({ code: 'BAD_USER_INPUT' }),
  )
})

test('the JSON Schema for editors is what plans are read by', () => {
  expect(JSON.parse(readFileSync(planSchemaFile, 'utf8'))).toEqual(planSchema())
})
