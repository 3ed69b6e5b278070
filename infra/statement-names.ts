const maxTexts = 500

/**
 * Names for the statements of a process, so that Postgres parses and plans each once a connection. None for one that
 * comes the first time, and none where there are too many: texts that are new each time would fill the server's memory.
 */
export function statementNames(max = maxTexts): (text: string) => string | undefined {
  const names = new Map<string, string | undefined>()
  let given = 0
  return (text) => {
    if (!names.has(text)) {
      if (names.size < max) names.set(text, undefined)
      return undefined
    }
    const name = names.get(text) ?? `s${++given}`
    names.set(text, name)
    return name
  }
}
