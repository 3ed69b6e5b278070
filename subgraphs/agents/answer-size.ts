/** Around an answer's text come its envelope and what is repeated of the request. */
const envelopeBytes = 16 * 1024
const bytesPerToken = 4

/** What an answer may have at most that may take so many tokens; its tokens are counted only then. */
export const bytesOf = (tokens: number): number => tokens * bytesPerToken + envelopeBytes

const maxAdHocBytes = 512 * 1024

/** In a call outside of all runs: as its agent declares in `spec.budgets.tokensPerCall`, or as many as we read. */
export const adHocBytes = (declared: number | null): number =>
  declared === null ? maxAdHocBytes : Math.min(bytesOf(declared), maxAdHocBytes)
