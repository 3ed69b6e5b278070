import { join } from 'node:path'

export const modelVersion = '1.0.0-beta1'

/** Where the cache folder has all-MiniLM-L6-v2 with weights of a byte (384 numbers a vector), once it was fetched. */
export function modelFilesIn(cacheFolder: string) {
  const folder = join(cacheFolder, `all-minilm-l6-v2-q-${modelVersion}`)
  return {
    name: `all-minilm-l6-v2-q ${modelVersion}`,
    folder,
    model: join(folder, 'all-minilm-l6-v2-q.onnx'),
    tokenizer: join(folder, 'all-minilm-l6-v2-q-tokenizer.json'),
  }
}
