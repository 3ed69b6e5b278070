import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Log } from '@community/infra/log.ts'
import { modelFilesIn } from '@community/infra/model-files.ts'
import type { Embeddings } from './embedding.ts'

export type EmbedRequest = { id: number; texts: readonly string[] }
export type EmbedReply = { id: number; vectors: Float32Array[] } | { id: number; failed: string }

type Job = EmbedRequest & { resolve(vectors: Float32Array[]): void; reject(error: Error): void }

const mostWaiting = 1_000
const restartMs = 5_000

/** all-MiniLM-L6-v2 in a thread of its own, where its files are in the cache folder. */
export function openMiniLm(cacheFolder: string, log: Log): Embeddings {
  const files = modelFilesIn(cacheFolder)
  if (!existsSync(files.model) || !existsSync(files.tokenizer))
    return { provider: null, lacks: 'the embedding model is not in the cache folder' }
  const queries: Job[] = []
  const documents: Job[] = []
  let current: Job | null = null
  let nextId = 1
  let isClosed = false
  let diedAt = 0
  let worker: Worker | null = null
  let isReady = false

  function start(): void {
    isReady = false
    const started = new Worker(new URL('./minilm-thread.ts', import.meta.url), { workerData: files })
    worker = started
    started.on('message', (message: 'ready' | EmbedReply) => {
      if (message === 'ready') {
        isReady = true
        log.info({ model: files.name }, 'the embedding model is ready')
      } else settle(message)
      next()
    })
    started.on('error', (error) => {
      if (worker !== started) return
      log.error({ err: error }, 'the thread of the embedding model died')
      worker = null
      diedAt = Date.now()
      const lost = [...(current ? [current] : []), ...queries.splice(0), ...documents.splice(0)]
      current = null
      for (const job of lost) job.reject(new Error('the embedding model died', { cause: error }))
    })
  }

  function next(): void {
    if (!isReady || current) return
    current = queries.shift() ?? documents.shift() ?? null
    if (current) worker?.postMessage({ id: current.id, texts: current.texts } satisfies EmbedRequest)
  }

  function settle(reply: EmbedReply): void {
    const job = current
    if (job?.id !== reply.id) return
    current = null
    if ('vectors' in reply) job.resolve(reply.vectors)
    else job.reject(new Error(reply.failed))
  }

  start()
  return {
    provider: {
      model: files.name,
      dimensions: 384,
      embed(texts, kind) {
        if (isClosed) return Promise.reject(new Error('the embedding model is closed'))
        if (!worker && Date.now() - diedAt < restartMs)
          return Promise.reject(new Error('the embedding model has just died'))
        if (!worker) start()
        const waiting = kind === 'query' ? queries : documents
        if (waiting.length >= mostWaiting)
          return Promise.reject(new Error(`${mostWaiting} texts wait to be embedded`))
        const { promise, resolve, reject } = Promise.withResolvers<Float32Array[]>()
        waiting.push({ id: nextId++, texts, resolve, reject })
        next()
        return promise
      },
      async close() {
        isClosed = true
        const ended = worker
        worker = null
        const left = [...(current ? [current] : []), ...queries.splice(0), ...documents.splice(0)]
        for (const job of left) job.reject(new Error('the embedding model was closed'))
        await ended?.terminate()
      },
    },
  }
}
