import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { execute, parse } from 'graphql'
import { offer } from './child.ts'
import { type moveOf, typeDefs } from './subscriptions-graph.ts'

type State = ReturnType<typeof moveOf>

export type GraphOffers = {
  urls(): Record<keyof typeof typeDefs, string>
  /** What a plan is from now on. */
  set(state: State): void
  /** Requests since it was asked the last time. */
  fetches(): number
}

const states = new Map<string, State>()
let fetches = 0

const schemas = {
  plans: {
    Query: { plan: (_: unknown, { id }: { id: string }) => states.get(id)?.plan },
    Move: { __resolveReference: ({ planId }: { planId: string }) => states.get(planId) },
    Plan: { __resolveReference: ({ id }: { id: string }) => states.get(id)?.plan },
  },
  agents: {
    Query: { agent: (_: unknown, { id }: { id: string }) => ({ id }) },
    Agent: {
      __resolveReference: ({ id }: { id: string }) => ({ id }),
      name: ({ id }: { id: string }) => `agent ${id}`,
    },
  },
}

// Who is asked the same gives the same bytes, until a plan moves: subgraphs are not what is measured.
const answers = new Map<string, Promise<string>>()

async function serve(name: keyof typeof typeDefs): Promise<Server> {
  const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs[name]), resolvers: schemas[name] as never }])
  const firstAnswer = async (body: string): Promise<string> => {
    const { query, variables } = JSON.parse(body) as { query: string; variables?: Record<string, unknown> }
    return JSON.stringify(
      await execute({ schema, document: parse(query), variableValues: variables ?? {}, rootValue: {} }),
    )
  }
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request)
      fetches++
      const answer = answers.get(body) ?? firstAnswer(body)
      answers.set(body, answer)
      response.writeHead(200, { 'content-type': 'application/json' }).end(await answer)
    })()
  })
  // A gateway's pooled connection must not be closed under it between two rounds.
  server.keepAliveTimeout = 3_600_000
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return server
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
const servers = { plans: await serve('plans'), agents: await serve('agents') }

offer({
  urls: () => ({ plans: urlOf(servers.plans), agents: urlOf(servers.agents) }),
  set(state) {
    states.set(state.planId, state)
    answers.clear()
  },
  fetches() {
    const counted = fetches
    fetches = 0
    return counted
  },
} satisfies GraphOffers)
