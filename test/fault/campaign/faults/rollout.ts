import type { Fault, Injected } from '../fault.ts'
import { pooled } from '../fleet.ts'
import { allAnswer } from './pools.ts'

/** A version that is accepted, deployed and opened, and whose skill is set up so that it fails at every request. */
export const badRollout: Fault = {
  kind: 'bad version rolled out',
  withinMs: 20_000,
  reach: 'its own',
  async inject(stage, random, name): Promise<Injected> {
    const pool = random.one(Object.keys(stage.world.community.poolUrls))
    const agent = await stage.introduce(name, pool)
    for (let call = 0; call < 5; call++) await stage.call(agent)
    const format = random.one(['oci', 'subresource-integrity'])
    await stage.register(pooled(name, pool, '1.1.0', format))
    await stage.deploy(agent.id)
    return {
      what: `${agent.id}@1.1.0 reads digests as ${format}`,
      hits: [agent.id],
      objective: () => allAnswer(stage, [agent]),
      wholeAgainMs: 0,
      async end() {
        await stage.ask('mutation ($id: ID!) { retireAgent(agentId: $id) { id } }', { id: agent.id })
      },
    }
  },
}
