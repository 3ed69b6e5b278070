import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'

const role = z.object({
  kind: z.literal('Role'),
  rules: z.array(z.object({ resources: z.array(z.string()), verbs: z.array(z.string()) })),
})

/** The documents of `infra/kubernetes/agents.yaml`. */
export const agentsManifests = (): unknown[] =>
  parseAllDocuments(
    readFileSync(resolve(import.meta.dirname, '../infra/kubernetes/agents.yaml'), 'utf8'),
  ).map((document) => document.toJS() as unknown)

/** What the Role there allows, as `patch deployments`. */
export const allowedByRole = (): Set<string> =>
  new Set(
    agentsManifests()
      .flatMap((document) => role.safeParse(document).data?.rules ?? [])
      .flatMap(({ resources, verbs }) => resources.flatMap((each) => verbs.map((verb) => `${verb} ${each}`))),
  )
