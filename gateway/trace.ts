import type { IncomingHttpHeaders } from 'node:http'
import type { Context, Span } from '@opentelemetry/api'
import type { Tracing } from './telemetry.ts'

type Options = {
  /** Base URL of an OTLP/HTTP receiver. */
  endpoint: string
  serviceName: string
  /** The share of traces that begin here and are recorded; who began one elsewhere has decided. */
  ratio: number
}

/** OpenTelemetry spans: an operation, its steps and its fetches. Loads the SDK, which is not loaded else. */
export async function startTracing({ endpoint, serviceName, ratio }: Options): Promise<Tracing> {
  const [{ ROOT_CONTEXT, SpanKind, SpanStatusCode, trace }, sdk, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` })
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': serviceName }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  })
  const tracer = provider.getTracer('gateway')

  const failed = (span: Span, message: string) => span.setStatus({ code: SpanStatusCode.ERROR, message })

  function parentOf({ traceparent }: IncomingHttpHeaders): Context {
    const parent = typeof traceparent === 'string' ? parentIn(traceparent) : null
    return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
  }

  return {
    operation(headers) {
      const context = parentOf(headers)
      const operation = tracer.startSpan('GraphQL operation', { kind: SpanKind.SERVER }, context)
      const within = trace.setSpan(context, operation)
      return {
        step(name, work) {
          const span = tracer.startSpan(name, {}, within)
          const result = settled(work, (error) => {
            if (error !== undefined) failed(span, messageOf(error))
            span.end()
          })
          return result
        },
        fetch(subgraph, request) {
          const span = tracer.startSpan(
            `fetch ${subgraph}`,
            {
              kind: SpanKind.CLIENT,
              attributes: { 'graphql.federation.subgraph.name': subgraph, 'http.request.method': 'POST' },
            },
            within,
          )
          request.headers = { ...request.headers, traceparent: traceparentOf(span) }
          return (failure, status) => {
            if (status !== null) span.setAttribute('http.response.status_code', status)
            if (request.attempts > 1) span.setAttribute('http.request.resend_count', request.attempts - 1)
            if (failure !== null) {
              span.setAttribute('error.type', failure)
              failed(span, failure)
            }
            span.end()
          }
        },
        end({ type, name, outcome }) {
          // The name is the client's: it is no part of the span's, which would have any number of values.
          operation.updateName(`GraphQL ${type}`)
          operation.setAttribute('graphql.operation.type', type)
          if (name !== undefined) operation.setAttribute('graphql.operation.name', name)
          operation.setAttribute('graphql.outcome', outcome)
          if (outcome === 'failed') failed(operation, outcome)
          operation.end()
        },
      }
    },
    close: () => provider.shutdown(),
  }
}

/** Calls `end` when `work` has ended, with what it threw. */
function settled<T>(work: () => T, end: (error?: unknown) => void): T {
  try {
    const result = work()
    if (result instanceof Promise)
      result.then(
        () => end(),
        (error: unknown) => end(error),
      )
    else end()
    return result
  } catch (error) {
    end(error)
    throw error
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

// W3C Trace Context, 3.2: versions after 00 may say more after the flags.
const traceparentForm = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/

function parentIn(traceparent: string) {
  const [, traceId = '', spanId = '', flags = ''] = traceparentForm.exec(traceparent) ?? []
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) return null
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`
}
