import { createHash } from 'node:crypto'

/**
 * What an agent's objects are called: a DNS-1035 label, as a Service's name has to be. Ids that read the same after
 * they were made one differ in their digest.
 */
export function objectName(agentId: string): string {
  const readable = agentId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '')
  return ['agent', readable, digestOf(agentId)].filter((part) => part !== '').join('-')
}

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10)
