import { readConfig } from '@community/infra/config.ts'
import { modelFiles } from '@community/infra/embedded/model-files.ts'
import { createLog } from '@community/infra/log.ts'
import { openMiniLm } from '@community/subgraphs/kit/search/minilm.ts'
import { passagesOf } from '@community/subgraphs/kit/search/passages.ts'
import { expect, onTestFinished, test } from 'vitest'
import { dataSetNames, missingIn, readDataSet, usualFolder } from './data-sets.ts'
import { keptVectors, qualityOf } from './quality.ts'

const config = readConfig()
const log = createLog('test', 'silent')
const missing = missingIn(usualFolder)
const model = missing.length > 0 ? true : await modelFiles(config.cacheDir, log)

// The least that is asked for, and how far above words alone.
const least = { metatool_dev: [73, 9], bfcl_dev: [75, 5] } as const
const lacking = missing.length > 0 ? `there is no ${missing.join(' and no ')}` : model === true ? null : model

test.skipIf(lacking !== null).for(dataSetNames)(
  `words and meaning together find more than words alone: %s${lacking === null ? '' : ` (skipped: ${lacking})`}`,
  { timeout: 300_000 },
  async (name) => {
    const { provider } = openMiniLm(config.cacheDir, log)
    if (!provider) throw new Error('the model is not there')
    onTestFinished(() => provider.close())
    const dataSet = await readDataSet(usualFolder, name)
    // Of the many questions a part will do.
    const queries = dataSet.queries.filter((_, at) => name !== 'metatool_dev' || at % 4 === 0)
    const some = { ...dataSet, queries }
    const words = await qualityOf(some, null, passagesOf)
    const both = await qualityOf(some, keptVectors(provider), passagesOf)
    expect(both.ndcg10).toBeGreaterThanOrEqual(least[name][0])
    expect(both.ndcg10 - words.ndcg10).toBeGreaterThanOrEqual(least[name][1])
  },
)
