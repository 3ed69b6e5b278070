import type { Fault, Injected } from '../fault.ts'
import { elsewhere } from '../fleet.ts'
import { serveAgent } from '../served.ts'
import { allAnswer } from './pools.ts'

/** A version that is as it should be while it is looked at before it serves, and fails at every request once it does. */
export const badRollout: Fault = {
  kind: 'bad version rolled out',
  withinMs: 20_000,
  reach: 'its own',
  async inject(stage, random, name): Promise<Injected> {
    const { agent, served: before } = await stage.introduceElsewhere(name)
    for (let call = 0; call < 5; call++) await stage.call(agent)
    const served = await serveAgent()
    await stage.register(elsewhere(name, served.url, '1.1.0'))
    await stage.deploy(agent.id)
    served.conduct = random.one(['errors', 'wrong type'])
    return {
      what: `${agent.id}@1.1.0: ${served.conduct}`,
      hits: [agent.id],
      objective: () => allAnswer(stage, [agent]),
      wholeAgainMs: 0,
      async end() {
        await stage.ask('mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agent.id })
        await served[Symbol.asyncDispose]()
        await before[Symbol.asyncDispose]()
      },
    }
  },
}
