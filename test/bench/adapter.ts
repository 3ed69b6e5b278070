/**
 * `pnpm run bench:adapter`: an Apollo Server on our engine beside one on ApolloGateway, over the same subgraphs, started
 * alike in all but the engine. Answers are compared, rounds interleaved, medians told.
 */
import { parseArgs } from 'node:util'
import type { Contestant } from './contestant.ts'
import { entriesFor, samplesOf } from './measure.ts'
import { countOf } from './options.ts'
import { apolloServer } from './peers.ts'
import { queries } from './shop.ts'
import { openStage } from './stage.ts'
import { figure, median, table } from './table.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' } },
})
const rounds = countOf('rounds', values.rounds)
const seconds = countOf('seconds', values.seconds)

const contestants: Contestant[] = [
  apolloServer('adapter', 'Apollo Server on our engine', 'adapter.ts'),
  apolloServer('apollo', 'Apollo Server on ApolloGateway', 'apollo.ts'),
]
await using stage = await openStage({ tuned: false })
const gateways = []
for (const contestant of contestants) gateways.push(await stage.start(contestant))

const rows: string[][] = []
for (const [name, query] of Object.entries(queries)) {
  const { entries, refused } = await entriesFor(query, gateways, stage.subgraphs)
  if (refused.length > 0) throw new Error(refused.join('\n'))
  const samples = await samplesOf(query, entries, stage, {
    rounds,
    seconds,
    warmUpSeconds: 5,
    connections: 10,
  })
  const cpuOf = (gateway: string) =>
    median(samples.filter((each) => each.gateway === gateway).map((each) => each.cpuMs / each.requests))
  const [ours, theirs] = [cpuOf('adapter'), cpuOf('apollo')]
  rows.push([name, figure(ours), figure(theirs), figure(theirs / ours)])
}
console.log(`\n${rounds} rounds, CPU ms a request, Node ${process.version}\n`)
console.log(table(['', 'our engine', 'ApolloGateway', 'ratio'], rows))
