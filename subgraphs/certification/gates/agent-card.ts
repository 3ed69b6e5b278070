import { z } from 'zod'

/** What an A2A 1.0 agent card must have (section 4.4.1 of the specification), read strictly in what we rely on. */
export const agentCard = z.object({
  name: z.string().min(1),
  description: z.string().min(1),
  version: z.string().min(1),
  supportedInterfaces: z
    .array(
      z.object({
        url: z.url(),
        protocolBinding: z.string().min(1),
        protocolVersion: z.string().min(1),
      }),
    )
    .min(1),
  capabilities: z.object({}),
  defaultInputModes: z.array(z.string()).min(1),
  defaultOutputModes: z.array(z.string()).min(1),
  skills: z
    .array(
      z.object({
        id: z.string().min(1),
        name: z.string().min(1),
        description: z.string().min(1),
        tags: z.array(z.string()).min(1),
      }),
    )
    .min(1),
})
