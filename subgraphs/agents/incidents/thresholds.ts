/** From when on something is an incident. */
export const thresholds = {
  /** A pool that was seen up, without an answer for so long. */
  poolDownMs: 3_000,
  /** After a start, how long a pool that was never seen up is waited for. */
  graceMs: 25_000,
  /** An agent that its pool does not host, though it answers. A pool gets back by itself what it lost within 2 s. */
  notHostedMs: 10_000,
  /** An agent elsewhere, looked at every 5 s. */
  silentMs: 16_000,
  /** What an agent's calls are counted over. */
  windowMs: 60_000,
  /** With fewer calls nothing is said of an agent. */
  leastCalls: 5,
  /** Of so many in the window, or of the latest, half of which are bad: late ones in both, failed ones in the window. */
  leastInWindow: 20,
  badRatio: 0.5,
  /** Of the latest ten, those that failed: more than half, as it is seen after seconds, and failures come in bursts. */
  latestBadRatio: 0.7,
  /** A call is late when it takes so many times as long as the manifest declares for its slowest in twenty. */
  timesDeclared: 4,
  /** But not before; the machine may be busy. */
  leastSlowMs: 3_000,
  /** Where nothing is declared. */
  slowMs: 10_000,
  /** The first look at an agent that seems to fail takes no longer: calls go on meanwhile. */
  firstLookMs: 1_500,
  /** Between two looks at an agent whose newest call is late, and which answered the look. */
  suspectEveryMs: 10_000,
  /** Of a run's budget, before it is judged. */
  burntShare: 0.4,
  /** How many times as much of its budget as of its steps a run may have used up. */
  burnRate: 3,
  /** Sendings of one message without an answer, within ten minutes. */
  unanswered: 3,
  /** Where as many different messages have no answer it is the agent, not the message. */
  unansweredMessages: 3,
  certificateEndsMs: 86_400_000,
  eventsStalledMs: 15_000,
  /** A statement that waits for a lock. */
  blockedMs: 5_000,
  /** How long a record that could not be read counts. */
  unreadableMs: 60_000,
  /** A version that has run for longer is not what has just gone wrong. */
  rollBackWithinMs: 3_600_000,
} as const

/** From when on an answer of an agent is slow, by what it declares. */
export const slowMsOf = (declaredP95Ms: number | null): number =>
  declaredP95Ms === null
    ? thresholds.slowMs
    : Math.min(thresholds.slowMs, Math.max(thresholds.leastSlowMs, thresholds.timesDeclared * declaredP95Ms))
