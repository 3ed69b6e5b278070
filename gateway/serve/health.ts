import type { Metrics } from '../metrics.ts'
import { type Route, send } from './http.ts'

/** `parts`: whether each that an answer needs is there; `details` may tell more of what is there. */
export type Readiness = () => { parts: Record<string, boolean>; details: Record<string, unknown> }

/** Alive: the event loop turns. Ready: operations can be answered. Metrics where there are some. */
export function healthRoutes(readiness: Readiness, metrics: Metrics | null): [string, Route][] {
  const routes: [string, Route][] = [
    ['/health/live', (_request, response) => send(response, 200, 'application/json', '{"live":true}\n')],
    [
      '/health/ready',
      (_request, response) => {
        const { parts, details } = readiness()
        const ready = Object.values(parts).every(Boolean)
        send(
          response,
          ready ? 200 : 503,
          'application/json',
          `${JSON.stringify({ ready, ...parts, ...details })}\n`,
        )
      },
    ],
  ]
  if (metrics)
    routes.push([
      '/metrics',
      async (_request, response) => send(response, 200, metrics.contentType, await metrics.text()),
    ])
  return routes
}
