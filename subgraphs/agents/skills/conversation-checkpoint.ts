import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'
import { jaccard, sentences, words } from './terms.ts'

const marks = z.array(z.string().min(2).max(40)).min(1).max(20)
const maxSentences = 1000

type Note = { text: string; turn: number; speaker: string; words: ReadonlySet<string> }

/** A memo that stands for a conversation: what was decided, what is to do and which questions nobody answered. */
export const conversationCheckpoint = skill({
  name: 'conversation-checkpoint',
  configuration: z.strictObject({
    /** What a sentence begins with that tells a decision, a task, or that one is done; in lower case. */
    decision: marks,
    task: marks,
    done: marks,
    /** Share of words that a later note must have in common with the one that it replaces or closes. */
    sameAbout: z.number().gt(0).max(1),
    /** The last turns are kept as they are. */
    recentTurns: z.int().min(0).max(20),
  }),
  input: z.strictObject({
    turns: z
      .array(
        z.strictObject({
          speaker: z.string().min(1).max(80).describe('Who spoke'),
          text: z.string().max(2000).describe('What was said'),
        }),
      )
      .min(1)
      .max(100)
      .describe('Oldest first'),
  }),
  output: z.strictObject({
    memo: z.string().describe('To send in the place of the conversation'),
    decisions: z.array(z.string()).describe('In force; those replaced by a later one are gone'),
    openTasks: z.array(z.string()).describe('Not reported done'),
    openQuestions: z.array(z.string()).describe('That no other speaker came back to'),
    tokens: z.int().describe('Of the memo'),
    tokensBefore: z.int().describe('Of the conversation'),
    savedPercent: z.number().describe('Negative where the memo is longer: send the conversation'),
  }),
  run({ turns }, configuration) {
    const said = turns.flatMap(({ speaker, text }, turn) =>
      text
        .split('\n')
        .flatMap(sentences)
        .map((sentence) => noteOf(sentence, turn, speaker)),
    )
    if (said.length > maxSentences)
      throw new Error(`turns: have ${said.length} sentences, at most ${maxSentences} allowed`)
    let decisions: Note[] = []
    let tasks: Note[] = []
    const alike = (a: Note, b: Note) => jaccard(a.words, b.words) >= configuration.sameAbout
    for (const one of said) {
      const told = (kind: 'decision' | 'task' | 'done') => {
        const rest = afterMark(one.text, configuration[kind])
        return rest === null ? null : noteOf(rest, one.turn, one.speaker)
      }
      const [decision, task, done] = [told('decision'), told('task'), told('done')]
      if (decision) decisions = [...decisions.filter((other) => !alike(other, decision)), decision]
      else if (task) tasks = [...tasks.filter((other) => !alike(other, task)), task]
      else if (done) tasks = tasks.filter((other) => !alike(other, done))
    }
    const questions = said.filter((one) => one.text.endsWith('?') && !isAnswered(one, said))

    const recent = configuration.recentTurns === 0 ? [] : turns.slice(-configuration.recentTurns)
    const list = (title: string, notes: readonly string[]) =>
      notes.length > 0 ? [`${title}:\n${notes.map((note) => `- ${note}`).join('\n')}`] : []
    const texts = (notes: readonly Note[]) => notes.map(({ text, speaker }) => `${text} (${speaker})`)
    const memo = [
      ...list('Decided', texts(decisions)),
      ...list('To do', texts(tasks)),
      ...list('Unanswered', texts(questions)),
      ...list(
        'Said last',
        recent.map(({ speaker, text }) => `${speaker}: ${text}`),
      ),
    ].join('\n')
    const tokens = countTokens(memo)
    const tokensBefore = countTokens(turns.map(({ speaker, text }) => `${speaker}: ${text}`).join('\n'))
    return {
      memo,
      decisions: decisions.map(({ text }) => text),
      openTasks: tasks.map(({ text }) => text),
      openQuestions: questions.map(({ text }) => text),
      tokens,
      tokensBefore,
      savedPercent: rounded(100 * (1 - tokens / tokensBefore), 1),
    }
  },
})

const noteOf = (text: string, turn: number, speaker: string): Note => ({
  text,
  turn,
  speaker,
  words: new Set(words(text)),
})

/** What follows the mark; null where the sentence begins with none. */
function afterMark(sentence: string, all: readonly string[]): string | null {
  const start = sentence.toLowerCase()
  const mark = all.find((one) => start.startsWith(one) && !/^[\p{L}\p{N}]/u.test(start.slice(one.length)))
  return mark === undefined
    ? null
    : sentence
        .slice(mark.length)
        .replace(/^[\s:,-]{1,5}/, '')
        .trim() || sentence
}

/** Somebody else says later two words, of more than three letters, that the question has; or one, if it has no more. */
function isAnswered(question: Note, said: readonly Note[]): boolean {
  const asked = new Set([...question.words].filter((word) => word.length > 3))
  const enough = Math.min(2, Math.max(1, asked.size))
  return said.some(
    (one) =>
      one.turn > question.turn &&
      one.speaker !== question.speaker &&
      !one.text.endsWith('?') &&
      one.words.intersection(asked).size >= enough,
  )
}
