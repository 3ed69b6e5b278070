import { openOutbound } from '@community/subgraphs/kit/outbound.ts'

/** To agents on this machine, as the embedded community allows them. */
export const loopback = openOutbound({ allow: ['127.0.0.0/8'], trusted: [] })
