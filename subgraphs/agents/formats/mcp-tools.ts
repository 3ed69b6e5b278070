import { type Draft, declaredCapabilities, nameOf, versionOf } from './draft.ts'
import { anything, type Fields, list, map, object, record, text } from './shape.ts'

const shape = record({
  serverInfo: record({
    name: text,
    title: text,
    version: text,
    description: text,
    websiteUrl: text,
    icons: list(object),
  }),
  protocolVersion: text,
  capabilities: object,
  instructions: text,
  tools: list(
    record({
      name: text,
      title: text,
      description: text,
      inputSchema: object,
      outputSchema: object,
      annotations: object,
      execution: object,
      icons: list(object),
      _meta: map(anything),
    }),
  ),
})

/** What an MCP server answered to `initialize` and `tools/list`, as one document. */
export function readMcpTools(document: Fields, understood: Set<string>): Draft {
  const profile = shape(document, '', understood) ?? {}
  const { serverInfo: server = {}, instructions, tools = [] } = profile
  const remarks = ['type: INTEGRATOR, since it connects a system']
  return {
    format: 'mcp/tools',
    name: nameOf(server.name, remarks),
    version: versionOf(server.version, remarks),
    description: server.description ?? instructions ?? server.title ?? '',
    labels: {},
    type: 'INTEGRATOR',
    subtype: 'integrator.mcp',
    endpoint: null,
    capabilities: declaredCapabilities(
      tools.map(({ name, title, description, inputSchema: input, outputSchema: output }) => ({
        name,
        description: description ?? title,
        input,
        output,
        examples: [],
      })),
      remarks,
    ),
    profile,
    remarks,
  }
}
