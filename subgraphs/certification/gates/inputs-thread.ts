/** Makes up requests beside what answers requests. */
import { serveThread } from '../../kit/thread.ts'
import { inputsFor } from './inputs.ts'

serveThread(inputsFor)
