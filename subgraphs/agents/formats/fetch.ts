import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Dispatcher } from 'undici'
import { checkEndpoint } from '../../kit/endpoint.ts'
import { badInput, ClientError } from '../../kit/errors.ts'

const withinMs = 10_000
const mostBytes = 1024 * 1024
const mostTools = 1_000

/**
 * The document at an address, or what an MCP server there tells of itself and its tools, as one document. Throws
 * ClientError: BAD_USER_INPUT where the address is refused, UNAVAILABLE where nobody answers as expected.
 */
export async function fetchDocument(
  address: string,
  { outbound, allow }: { outbound: Dispatcher; allow: readonly string[] },
): Promise<string> {
  const signal = AbortSignal.timeout(withinMs)
  const guarded: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    const refusal = await checkEndpoint(url, allow)
    if (refusal !== null)
      throw badInput(
        `the address is refused: ${refusal}`,
        'source',
        'a public http or https URL, or one in a range that the operator allows',
      )
    // Another address would not have been checked.
    const signals = [signal, ...(init?.signal ? [init.signal] : [])]
    // Node's own fetch takes a dispatcher; its types are the browsers'.
    const through = { dispatcher: outbound } as RequestInit
    return bounded(
      await fetch(input, { ...init, ...through, redirect: 'error', signal: AbortSignal.any(signals) }),
    )
  }
  try {
    return (await documentAt(address, guarded)) ?? JSON.stringify(await toolsAt(address, guarded, signal))
  } catch (error) {
    const cause = clientErrorIn(error)
    if (cause) throw cause
    const why = error instanceof Error ? error.message : String(error)
    throw Object.assign(
      new ClientError('UNAVAILABLE', `neither a document nor an MCP server answers at ${address}: ${why}`, {
        argument: 'source',
      }),
      { cause: error },
    )
  }
}

/** Null where something else than a document answers. */
async function documentAt(address: string, guarded: typeof fetch): Promise<string | null> {
  const accept = 'application/json, application/yaml, text/yaml;q=0.9, text/plain;q=0.5'
  const response = await guarded(address, { headers: { accept } })
  const type = response.headers.get('content-type') ?? ''
  if (response.ok && /json|yaml|text\/plain/.test(type)) return await response.text()
  await response.body?.cancel()
  return null
}

async function toolsAt(url: string, guarded: typeof fetch, signal: AbortSignal) {
  const client = new Client({ name: 'community', version: '1.0.0' })
  const transport = new StreamableHTTPClientTransport(new URL(url), { fetch: guarded })
  try {
    await client.connect(transport, { signal })
    const tools: unknown[] = []
    let cursor: string | undefined
    do {
      const page = await client.listTools(cursor === undefined ? {} : { cursor }, { signal })
      tools.push(...page.tools)
      cursor = page.nextCursor
    } while (cursor !== undefined && tools.length < mostTools)
    return {
      serverInfo: client.getServerVersion(),
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions(),
      tools: tools.slice(0, mostTools),
    }
  } finally {
    await client.close()
  }
}

/** Its body ends with an error where it is too long. */
function bounded(response: Response): Response {
  let left = mostBytes
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      left -= chunk.byteLength
      if (left < 0) controller.error(new Error(`its answer has more than ${mostBytes} bytes`))
      else controller.enqueue(chunk)
    },
  })
  return new Response(response.body?.pipeThrough(counting) ?? null, response)
}

function clientErrorIn(error: unknown): ClientError | null {
  for (let each = error; each instanceof Error; each = each.cause)
    if (each instanceof ClientError) return each
  return null
}
