import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, type Page, chromium as playwright } from 'playwright-core'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ask } from '../client.ts'

const world = inject('world')
const screenshots = join(import.meta.dirname, 'screenshots')

let browser: Browser

beforeAll(async () => {
  await mkdir(screenshots, { recursive: true })
  browser = await launch()
})

afterAll(async () => {
  await browser.close()
})

test('GraphiQL runs a query, with no request to another origin', async () => {
  const page = await openPage()
  const foreign: string[] = []
  const origin = new URL(world.graphqlUrl).origin
  page.on('request', (request) => {
    const { protocol } = new URL(request.url())
    if (protocol.startsWith('http') && new URL(request.url()).origin !== origin) foreign.push(request.url())
  })
  const query = '{ agentPools { name capacity agents { totalCount } } }'
  await page.goto(`${origin}/graphiql?query=${encodeURIComponent(query)}`)
  await page.getByRole('button', { name: /execute query/i }).click()
  await page.locator('.result-window').getByText('foundation').waitFor()
  await page.screenshot({ path: join(screenshots, 'query.png') })
  expect(await shown(page)).toContain('"capacity": 40')
  expect(foreign).toEqual([])
})

test('GraphiQL shows a live subscription', async () => {
  const plan = {
    name: 'watched',
    description: 'Goes on when it is watched.',
    visibility: 'PUBLIC',
    tokenBudget: 1,
    maxIterations: 1,
    phases: [
      {
        name: 'only',
        description: 'Waits.',
        steps: [{ name: 'consent', action: 'approve', message: 'Is somebody watching?' }],
      },
    ],
    convergence: [{ name: 'failed-steps', target: 0 }],
  }
  const { data } = await ask<{ submitWorkflow: { plan: { id: string } } }>(
    world.graphqlUrl,
    'mutation ($source: String!) { submitWorkflow(source: $source) { plan { id } } }',
    { source: JSON.stringify(plan) },
    world.token,
  )
  const planId = data?.submitWorkflow.plan.id
  const page = await openPage()
  const subscription = `subscription { deploymentStatus(planId: "${planId}") { version transition plan { status progress { done total } } step { id status } } }`
  await page.goto(`${new URL(world.graphqlUrl).origin}/graphiql?query=${encodeURIComponent(subscription)}`)
  await page.getByRole('button', { name: /execute query/i }).click()
  await page.locator('.result-window').getByText('deploymentStatus').waitFor()
  await page.screenshot({ path: join(screenshots, 'subscription-first.png') })
  const approval = 'mutation ($id: ID!) { approveStep(stepId: $id, approved: true) { status } }'
  await expect
    .poll(() => ask(world.graphqlUrl, approval, { id: `${planId}/only/consent` }, world.token), {
      timeout: 30_000,
    })
    .not.toHaveProperty('errors')
  await page.locator('.result-window').getByText('PLAN_CONVERGED').waitFor({ timeout: 60_000 })
  await page.screenshot({ path: join(screenshots, 'subscription-last.png') })
  expect(await shown(page)).toContain('"status": "CONVERGED"')
})

// The machine may be busy with something else: a page that is slow is not broken.
async function openPage(): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  page.setDefaultTimeout(120_000)
  return page
}

// The editor that shows results writes no-break spaces.
async function shown(page: Page): Promise<string | undefined> {
  return (await page.locator('.result-window').textContent())?.replaceAll('\u00a0', ' ')
}

/** An installed Chrome by CHROME_PATH, else the one from npm with the libraries that a bare machine lacks. */
async function launch(): Promise<Browser> {
  if (process.env.CHROME_PATH) return await playwright.launch({ executablePath: process.env.CHROME_PATH })
  process.env.AWS_EXECUTION_ENV ??= 'AWS_Lambda_nodejs22.x'
  const { default: chromium } = await import('@sparticuz/chromium')
  return await playwright.launch({ executablePath: await chromium.executablePath(), args: chromium.args })
}
