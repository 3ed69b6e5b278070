import DataLoader from 'dataloader'
import type { RequestContext } from '../../kit/subgraph.ts'
import { stepsOf, submissionsById } from './store.ts'

export const submissionsContext = ({ db }: RequestContext) => ({
  submissions: new DataLoader((ids: readonly string[]) => submissionsById(db, ids)),
  submissionSteps: new DataLoader((ids: readonly string[]) => stepsOf(db, ids)),
})
