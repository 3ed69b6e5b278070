import { readConfig, type SubgraphName, subgraphNames } from '@community/infra/config.ts'
import { ready, runUntilStopped } from '@community/infra/lifecycle.ts'
import { createLog } from '@community/infra/log.ts'
import { z } from 'zod'
import { shareEmbeddings } from './kit/search/shared-embeddings.ts'
import { type Served, serveSubgraph } from './kit/serve.ts'
import type { Subgraph } from './kit/subgraph.ts'

// `index.ts NAME…` hosts these subgraphs, all five when none is named, each at its SUBGRAPH_URL_<NAME>.
const load: Record<SubgraphName, () => Promise<{ subgraph: Subgraph }>> = {
  agents: () => import('./agents/index.ts'),
  marketplace: () => import('./marketplace/index.ts'),
  certification: () => import('./certification/index.ts'),
  telemetry: () => import('./telemetry/index.ts'),
  federation: () => import('./federation/index.ts'),
}

const named = z.array(z.enum(subgraphNames)).safeParse(process.argv.slice(2))
if (!named.success) {
  console.error(`usage: index.ts [${subgraphNames.join(' | ')}]…`)
  process.exit(2)
}
const config = readConfig()
const log = createLog('subgraphs', config.logLevel)
const names = named.data.length > 0 ? named.data : subgraphNames
const embeddings = shareEmbeddings(config, log)
const served: Served[] = []
const stop = async () => {
  await Promise.all(served.splice(0).map((each) => each.stop()))
  await embeddings.close()
}

runUntilStopped({ log, stop })
try {
  const urls: Record<string, string> = {}
  for (const name of names) {
    const { subgraph } = await load[name]()
    const url = config.subgraphUrls[name]
    const port = url === undefined ? 0 : Number(new URL(url).port || 80)
    const each = await serveSubgraph(subgraph, config, log.child({ subgraph: name }), port, embeddings)
    served.push(each)
    urls[name] = each.url
  }
  ready({ urls })
} catch (error) {
  log.fatal({ err: error }, 'the subgraphs could not start')
  await stop()
  process.exit(1)
}
