import { join } from 'node:path'
import type { Log } from '../log.ts'
import { fetchWithMaven, outputOf } from './maven.ts'

export const kafkaVersion = '4.4.0'

const dependencies = `
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>`

/** True, or one line that says what is missing. */
export async function kafkaAvailable(): Promise<true | string> {
  const [java, maven] = await Promise.all([outputOf('java', ['-version']), outputOf('mvn', ['-v'])])
  if (java === null) return 'java is not installed (17 or later is needed)'
  const version = /version "(\d+)/.exec(java)?.[1]
  if (version === undefined || Number(version) < 17)
    return `java is ${version ?? 'of an unknown version'}, 17 is needed`
  return maven === null ? 'mvn (Maven) is not installed' : true
}

/**
 * The folder with Kafka's jars, filled by Maven the first time; processes that need it at once wait for one of them.
 * Throws CannotStart where Maven can't get them.
 */
export async function kafkaJars(cacheFolder: string, log: Log): Promise<string> {
  const folder = join(cacheFolder, `kafka-${kafkaVersion}`)
  const lockFile = join(cacheFolder, 'kafka.lock')
  await fetchWithMaven({
    what: 'Kafka',
    folder,
    lockFile,
    dependencies,
    goal: 'copy-dependencies',
    options: ['-DincludeScope=runtime'],
    log,
  })
  return folder
}
