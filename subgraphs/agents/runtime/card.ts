import { A2A_PROTOCOL_VERSION, type AgentCard } from '@a2a-js/sdk'
import type { Deployment } from './deployment.ts'

/** The A2A card of an agent that answers at `url`: its capabilities are the card's skills. */
export function cardOf({ manifest }: Deployment, url: string): AgentCard {
  const { metadata, spec } = manifest
  const pool = metadata.labels.pool
  return {
    name: metadata.name,
    description: metadata.description,
    version: metadata.version,
    supportedInterfaces: [
      { url, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: A2A_PROTOCOL_VERSION },
    ],
    provider: undefined,
    capabilities: { streaming: false, pushNotifications: false, extensions: [], extendedAgentCard: false },
    securitySchemes: {
      bearer: {
        scheme: {
          $case: 'httpAuthSecurityScheme',
          value: { description: 'A token made out to this agent.', scheme: 'Bearer', bearerFormat: 'JWT' },
        },
      },
    },
    securityRequirements: [{ schemes: { bearer: { list: [] } } }],
    defaultInputModes: ['application/json'],
    defaultOutputModes: ['application/json'],
    skills: spec.capabilities.map((capability) => ({
      id: capability.name,
      name: capability.name,
      description: capability.description,
      tags: [...new Set([spec.type, spec.subtype, capability.skill, ...(pool === undefined ? [] : [pool])])],
      examples: capability.examples.map(({ description }) => description),
      inputModes: [],
      outputModes: [],
      securityRequirements: [],
    })),
    signatures: [],
  }
}
