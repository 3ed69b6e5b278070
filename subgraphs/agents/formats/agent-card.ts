import { type Draft, declaredCapabilities, nameOf, versionOf } from './draft.ts'
import { either, type Fields, flag, list, map, object, record, text } from './shape.ts'

const texts = list(text)
const interfaces = list(
  record({ url: text, transport: text, protocolBinding: text, protocolVersion: text, tenant: text }),
)

const shape = record({
  name: text,
  description: text,
  version: text,
  protocolVersion: text,
  url: text,
  preferredTransport: text,
  additionalInterfaces: interfaces,
  supportedInterfaces: interfaces,
  provider: record({ organization: text, url: text }),
  documentationUrl: text,
  iconUrl: text,
  capabilities: record({
    streaming: flag,
    pushNotifications: flag,
    stateTransitionHistory: flag,
    extendedAgentCard: flag,
    extensions: list(object),
  }),
  supportsAuthenticatedExtendedCard: flag,
  securitySchemes: map(object),
  security: list(object),
  securityRequirements: list(object),
  defaultInputModes: texts,
  defaultOutputModes: texts,
  skills: list(
    record({
      id: text,
      name: text,
      description: text,
      tags: texts,
      examples: list(either(text, object)),
      inputModes: texts,
      outputModes: texts,
      security: list(object),
      securityRequirements: list(object),
    }),
  ),
  signatures: list(object),
})

/** An A2A agent card, 1.0 or 0.3. */
export function readAgentCard(document: Fields, understood: Set<string>): Draft {
  const profile = shape(document, '', understood) ?? {}
  const remarks = ['type: WORKER, since a card names none']
  return {
    format: `a2a/${profile.protocolVersion ?? (profile.supportedInterfaces ? '1.0' : '0.3')}`,
    name: nameOf(profile.name, remarks),
    version: versionOf(profile.version, remarks),
    description: profile.description ?? '',
    labels: {},
    type: 'WORKER',
    subtype: 'worker.a2a',
    endpoint: jsonRpcUrl(profile),
    capabilities: declaredCapabilities(
      (profile.skills ?? []).map(({ id, name, description, examples = [] }) => ({
        name: id ?? name,
        description: description ?? name,
        examples: examples.filter((example) => typeof example === 'string'),
      })),
      remarks,
    ),
    profile,
    remarks,
  }
}

type Card = NonNullable<ReturnType<typeof shape>>

/** We speak JSON-RPC. In 0.3 it is what `url` speaks where nothing else is said. */
function jsonRpcUrl(card: Card): string | null {
  const { url, preferredTransport = 'JSONRPC', supportedInterfaces = [], additionalInterfaces = [] } = card
  if (url !== undefined && preferredTransport === 'JSONRPC') return url
  const speaksJsonRpc = ({ protocolBinding, transport }: (typeof supportedInterfaces)[number]) =>
    (protocolBinding ?? transport) === 'JSONRPC'
  return [...supportedInterfaces, ...additionalInterfaces].find(speaksJsonRpc)?.url ?? null
}
