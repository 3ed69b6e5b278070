import { type Draft, nameOf, versionOf } from './draft.ts'
import { anything, either, type Fields, flag, list, map, number, object, record, text } from './shape.ts'

const texts = list(text)
const value = either(text, either(number, flag))

/** Of a command line, an environment or a request's headers. */
const input = record({
  name: text,
  description: text,
  type: text,
  format: text,
  value,
  value_hint: text,
  valueHint: text,
  default: value,
  choices: texts,
  is_required: flag,
  isRequired: flag,
  is_secret: flag,
  isSecret: flag,
  is_repeated: flag,
  isRepeated: flag,
  placeholder: text,
  variables: map(object),
})

const transport = record({
  type: text,
  transport: text,
  transport_type: text,
  url: text,
  headers: list(input),
  variables: map(object),
})

const shape = record({
  $schema: text,
  id: text,
  name: text,
  title: text,
  description: text,
  status: text,
  version: text,
  version_detail: record({ version: text, release_date: text, is_latest: flag }),
  repository: record({ url: text, source: text, id: text, subfolder: text }),
  websiteUrl: text,
  website_url: text,
  icons: list(object),
  packages: list(
    record({
      registry_name: text,
      registry_type: text,
      registryType: text,
      registryBaseUrl: text,
      name: text,
      identifier: text,
      version: text,
      fileSha256: text,
      file_sha256: text,
      runtime_hint: text,
      runtimeHint: text,
      transport: either(transport, text),
      runtime_arguments: list(input),
      runtimeArguments: list(input),
      package_arguments: list(input),
      packageArguments: list(input),
      environment_variables: list(input),
      environmentVariables: list(input),
    }),
  ),
  remotes: list(transport),
  _meta: map(anything),
})

/** `server.json` of the MCP registry, of its seed and of its later schemas. What tools it has only the server tells. */
export function readMcpServer(document: Fields, understood: Set<string>): Draft {
  const profile = shape(document, '', understood) ?? {}
  const remarks = [
    'type: INTEGRATOR, since it connects a system',
    'capabilities: none, since only the server tells its tools',
  ]
  return {
    format: 'mcp/server.json',
    name: nameOf(profile.name, remarks),
    version: versionOf(profile.version ?? profile.version_detail?.version, remarks),
    description: profile.description ?? profile.title ?? '',
    labels: {},
    type: 'INTEGRATOR',
    subtype: 'integrator.mcp',
    endpoint: null,
    capabilities: [],
    profile,
    remarks,
  }
}
