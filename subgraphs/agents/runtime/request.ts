import { z } from 'zod'

const request = z.object({ capability: z.string().optional(), input: z.unknown() })

/** The capability and input that a request names; an agent with one capability need not be told which. */
export function readRequest(
  parts: readonly unknown[],
  names: readonly string[],
): { capability: string; input: unknown } | { state: 'REJECTED'; reason: string } {
  const parsed = request.safeParse(parts[0])
  if (parts.length !== 1 || !parsed.success)
    return rejected(`expected one data part { capability, input }, capability one of ${names.join(', ')}`)
  const { capability = names.length === 1 ? names[0] : undefined, input } = parsed.data
  if (capability === undefined || !names.includes(capability))
    return rejected(`capability: expected one of ${names.join(', ')}`)
  return { capability, input }
}

const rejected = (reason: string) => ({ state: 'REJECTED' as const, reason })
