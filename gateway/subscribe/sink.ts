import type { GraphQLFormattedError } from 'graphql'
import type { Identity } from '../guard/verify.ts'

/** A result as subscribers get it; all who share an execution get the same object. */
export type Result = {
  /** JSON of `{ data, errors?, extensions? }`. */
  readonly text: string
}

/** A subscriber's end of a transport. */
export type Sink = {
  /** Whether it takes a result now. Where it does not, it calls the subscription's `resume` when it does. */
  hasRoom: () => boolean
  next: (result: Result) => void
  /** Called once at most, and nothing after it: with errors the subscription failed, without it is complete. */
  end(errors?: readonly GraphQLFormattedError[]): void
}

/** What a transport holds of a subscription that runs. */
export type Subscription = {
  /** The sink has room again. */
  resume(): void
  /** The client has shown another token: what it may see is judged anew. */
  permit(identity: Identity): void
  /** The client completed it or left: nothing is sent from now on, `end` is not called either. */
  close(): void
}
