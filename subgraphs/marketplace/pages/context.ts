import DataLoader from 'dataloader'
import type { Page } from '../../kit/page.ts'
import { pageLoader } from '../../kit/page-loader.ts'
import type { RequestContext } from '../../kit/subgraph.ts'
import type { VersionChannel } from '../schema.generated.ts'
import { pagesById, readmesById } from './store.ts'
import { channelsFrom, latestVersions, versionSlices } from './versions.ts'

export const pagesContext = ({ db }: RequestContext) => ({
  pages: new DataLoader((ids: readonly string[]) => pagesById(db, ids)),
  readmes: new DataLoader((ids: readonly string[]) => readmesById(db, ids)),
  versions: pageLoader((ids, page: Page) => versionSlices(db, ids, page)),
  latestVersions: pageLoader((ids, channel: VersionChannel) =>
    latestVersions(db, ids, channelsFrom(channel)),
  ),
})
