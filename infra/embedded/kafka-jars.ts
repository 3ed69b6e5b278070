import { execFile } from 'node:child_process'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Log } from '../log.ts'
import { CannotStart } from './cannot-start.ts'
import { underLock } from './lock.ts'

const run = promisify(execFile)

export const kafkaVersion = '4.4.0'
const downloadDeadlineMs = 300_000

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>community</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
`

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
  const jars = join(cacheFolder, `kafka-${kafkaVersion}`)
  await mkdir(cacheFolder, { recursive: true })
  await underLock(join(cacheFolder, 'kafka.lock'), async () => {
    if (await exists(jars)) return
    log.info({ jars }, 'getting Kafka from Maven, once')
    const half = `${jars}.new`
    await rm(half, { recursive: true, force: true })
    await mkdir(half)
    await writeFile(join(half, 'pom.xml'), pom)
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
    const args = [
      '-q',
      '-B',
      '-f',
      join(half, 'pom.xml'),
      goal,
      '-DincludeScope=runtime',
      `-DoutputDirectory=${half}`,
    ]
    await run('mvn', args, { timeout: downloadDeadlineMs, maxBuffer: 16 * 1024 * 1024 }).catch(
      ({ stdout, killed }: { stdout?: string; killed?: boolean }) => {
        const reason = killed
          ? `not within ${downloadDeadlineMs / 1000} s`
          : (stdout ?? '').trim().split('\n')[0]?.replace('[ERROR] ', '')
        throw new CannotStart(`Maven could not get Kafka: ${reason}`)
      },
    )
    await rename(half, jars)
  })
  return jars
}

async function outputOf(command: string, args: string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await run(command, args, { timeout: 20_000 })
    return stdout + stderr
  } catch {
    return null
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
