/** Why a try of a step failed; may be told. */
export class StepFailed extends Error {
  /** Whether an agent was asked and has answered: the next try is another request. */
  readonly answered: boolean
  constructor(message: string, { answered = false, ...options }: ErrorOptions & { answered?: boolean } = {}) {
    super(message, options)
    this.name = 'StepFailed'
    this.answered = answered
  }
}

/** The run's tokens are used up. */
export class BudgetExhausted extends StepFailed {}

/** What is left does not cover a message, which was not sent. */
export class NoTokensLeft extends BudgetExhausted {
  readonly tokens: number
  constructor(tokens: number) {
    super(`the token budget has less than ${tokens} left`)
    this.tokens = tokens
  }
}
