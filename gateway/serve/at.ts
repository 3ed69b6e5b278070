/** At that time, in milliseconds since 1970. Answers what calls it off. */
export function at(timeMs: number, then: () => void): () => void {
  // Timers take at most 2^31 ms.
  const wait = () => setTimeout(due, Math.min(Math.max(timeMs - Date.now(), 0), 2 ** 31 - 1)).unref()
  const due = () => {
    if (Date.now() >= timeMs) then()
    else timer = wait()
  }
  let timer = wait()
  return () => clearTimeout(timer)
}
