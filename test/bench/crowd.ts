import { normalised } from '@community/subgraphs/kit/search/embedding.ts'
import { digestOf, passagesOf } from '@community/subgraphs/kit/search/passages.ts'
import { packed } from '@community/subgraphs/kit/search/vectors.ts'
import type { Client } from 'pg'
import type { DataSet } from './data-sets.ts'
import { entryFor, type Vectors } from './quality.ts'

/** An agent of a crowd: what it says, and vectors as if it had been embedded. */
export type Member = { id: string; name: string; desc: string; examples: string[]; vectors: Uint8Array[] }

const examplesEach = 3
const base = 300

/**
 * As many as are wanted, each made of two real documents and three real questions; of the first few hundred the vectors are made
 * by the model, all have such a one with as much noise as makes a cosine of 0.8.
 */
export async function* crowdOf(
  { docs, queries }: DataSet,
  vectorsOf: Vectors,
  size: number,
): AsyncGenerator<Member> {
  const said = docs.slice(0, base)
  const asked = queries.filter((_, at) => at % 3 === 0).slice(0, base)
  const saidVectors = await vectorsOf(said.map(({ name, desc }) => `${name}: ${desc}`))
  const askedVectors = await vectorsOf(asked.map(({ q }) => q))
  const random = randomly(7)
  const pick = (length: number) => Math.floor(random() * length)
  for (let n = 0; n < size; n++) {
    const [first, second] = [pick(said.length), pick(docs.length)]
    const questions = Array.from({ length: examplesEach }, () => pick(asked.length))
    const [{ name, desc }, other] = [said[first]!, docs[second]!]
    yield {
      id: `crowd-${n}`,
      name: `${name} ${n}`,
      desc: `${desc} ${other.desc} Benchmarked as ${n}.`,
      examples: questions.map((at) => `${asked[at]!.q} (${n})`),
      vectors: [saidVectors[first]!, ...questions.map((at) => askedVectors[at]!)].map((vector) =>
        packed(noisy(vector, random)),
      ),
    }
  }
}

export const entryOfMember = ({ id, name, desc, examples }: Member) => entryFor({ id, name, desc }, examples)

/** Into the schema `agents`, as if they had been registered; their vectors before. */
export async function insertCrowd(admin: Client, model: string, members: readonly Member[]): Promise<void> {
  await admin.query(`set search_path = agents`)
  await admin.query(
    `insert into subtype (name, type, description) values ('worker.crowd', 'WORKER', 'One of many.') on conflict do nothing`,
  )
  const digests = members.map((member) =>
    passagesOf({ ...entryOfMember(member), texts: [`${member.name} worker crowd`, member.desc] }).map(
      digestOf,
    ),
  )
  await admin.query(
    `insert into embedding (model, digest, vector)
     select $1, digest, decode(vector, 'hex') from unnest($2::text[], $3::text[]) as made (digest, vector) on conflict do nothing`,
    [
      model,
      digests.flat(),
      members.flatMap(({ vectors }) => vectors.map((vector) => Buffer.from(vector).toString('hex'))),
    ],
  )
  await admin.query('begin')
  await admin.query(
    `insert into agent (id, organization_id, name, description, type, subtype, version, status, visibility, manifest, search)
     select id, 'ossa', name, description, 'WORKER', 'worker.crowd', '1.0.0', 'REGISTERED', 'PUBLIC', '{}', ''
     from unnest($1::text[], $2::text[], $3::text[]) as member (id, name, description)`,
    [members.map(({ id }) => id), members.map(({ name }) => name), members.map(({ desc }) => desc)],
  )
  await admin.query(
    `insert into capability (agent_id, ordinal, name, description, input, output, examples)
     select id, 1, 'answer', 'Answers.', '{}', '{}', examples
     from unnest($1::text[], $2::jsonb[]) as member (id, examples)`,
    [
      members.map(({ id }) => id),
      members.map(({ examples }) =>
        JSON.stringify(examples.map((description) => ({ description, input: {} }))),
      ),
    ],
  )
  await admin.query('commit')
}

// Noise of three quarters of the length makes an angle with a cosine of 0.8.
function noisy(vector: Float32Array, random: () => number): Float32Array {
  const noise = normalised(Float32Array.from(vector, () => random() + random() + random() - 1.5))
  return normalised(vector.map((number, at) => number + 0.75 * noise[at]!))
}

/** The same numbers each time (mulberry32). */
function randomly(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
