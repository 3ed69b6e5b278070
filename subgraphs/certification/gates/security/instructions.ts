import { plainText } from './plain-text.ts'
import type { RuleName } from './rules.ts'

/** One thing that a text tells its reader to do. `isReported`: it speaks of texts that do so, or quotes one. */
export type Said = { rule: RuleName; seen: string; isReported: boolean }

type Phrase = { rule: RuleName; form: RegExp; unless?: RegExp }

/** So many words at most, each with the blank behind it. */
const words = (most: number) => `(?:\\S{1,40} ){0,${most}}?`
const unlessNot = "(?<!(?:not|n't|never|without) )"

const orders =
  '(?:instructions?|prompts?|directives?|guidelines?|guidance|rules?|orders|constraints?|restrictions?|polic(?:y|ies)|guardrails?|limitations?|system message)'
const orderedSo = `(?:${orders}|programming|training|safety|configuration|context|commands?)`
const before =
  "(?:previous|prior|earlier|above|preceding|foregoing|former|original|initial|system(?:'s)?|your|before this|so far)"
const ignore =
  "(?:ignore|ignoring|disregard|disregarding|forget|forgetting|set aside|put aside|pay no (?:attention|heed) to|stop (?:following|obeying)|do not (?:follow|obey)|don't (?:follow|obey))"
const giveUp = `(?:${ignore}|neglect|dismiss|discard|drop|abandon|bypass|circumvent|override|overrule)`
const noLonger =
  '(?:void|invalid|superseded|revoked|cancelled|canceled|obsolete|suspended|overridden|lifted|no longer (?:valid|apply|applies|binding|in force|count)|not (?:apply|bind|binding)|ends? here)'

const people =
  '(?:users?|humans?|operators?|owners?|customers?|persons?|people|administrators?|admins?|clients?|whoever|anyone|anybody|someone|caller)'
const theirs = `\\b(?:secrets?|credentials?|passwords?|keys?|tokens?|personal|private|confidential|internal|other ${people}|e-?mail|address(?:es)?|names?|data)\\b`
const negated =
  "(?:do not|don't|never|must not|should not|shall not|may not|without|no need to|not necessary to|avoid|refrain from)"
const tell =
  '(?:tell|telling|inform|informing|mention|mentioning|notify|notifying|alert|alerting|reveal|revealing|disclose|disclosing|report|reporting|show|showing|warn|warning|ask|asking|let|letting)'

const tools = '(?:tools?|agents?|functions?|skills?|servers?|services?|assistants?|ones?)'
const must =
  '(?:must|always|required|have to|has to|mandatory|whatever|regardless|in any case|without exception)'
const beforeOthers = `(?:before|prior to|instead of|rather than|ahead of) (?:(?:using|calling|invoking|running|consulting|choosing|trying) (?:any|every|all|each|other|another)(?: other)? ${words(1)}${tools}|(?:any|every|all|each)(?: other)? ${words(1)}(?:tools?|functions?)|(?:any|every|all|each) other ${words(1)}${tools})\\b`

const send =
  '(?:send|forward|post|upload|pass|append|include|put|add|attach|copy|transmit|e-?mail|leak|exfiltrate|hand|insert|embed|supply|submit|share(?! of)|deliver|transfer|relay|report|store|save|write|paste)'
const secrets =
  "(?:api[ -]?keys?|credentials?|passwords?|passphrases?|(?:access|session|bearer|auth\\w*|refresh|your|user's|users'|caller's) tokens?|secrets?|private keys?|environment variables?|env vars?|cookies?|ssh keys?|\\.env)"
const sideChannel =
  "(?:(?:in|into|to|as|with|over|via|through|for) (?:\\S{1,20} ){0,3}?(?:fields?|parameters?|arguments?|attributes?|property|query|notes?|remarks?|comments?|metadata|context|debug|sidenote|hint)\\b|https?:|\\S{1,60}@\\S|\\bwebhook|\\bto (?:this agent|me|us|our|my|the caller|the host)\\b|\\b(?:you|users?|they) (?:can find|have|has|know|find|hold|own)\\b|\\bof the user\\b|\\buser's\\b|\\bfrom (?:your|the) (?:environment|context|memory|workspace|conversation|session)\\b)"
const conversation =
  '(?:conversations?|chat(?: history)?|(?:message |chat )?history|messages(?: so far)?|transcript|dialogue|context window|system prompt|prompt|tool definitions|chain of thought|reasoning)'

const phrase = (rule: RuleName, form: string, unless?: string): Phrase => ({
  rule,
  form: new RegExp(form, 'gu'),
  ...(unless !== undefined && { unless: new RegExp(unless, 'u') }),
})

/**
 * Read over one sentence of plain text: lower case, white space single. Words between are counted, so no pattern can be
 * made to backtrack beyond a constant. Verbs stand in the forms that give orders; what is told of a third person passes.
 */
const phrases: readonly Phrase[] = [
  ...[
    `${unlessNot}\\b${ignore} ${words(5)}${before} ${words(4)}${orderedSo}\\b`,
    `${unlessNot}\\b${giveUp} ${words(5)}(?:${before}|all|any|every|other|existing|current) ${words(4)}${orders}\\b`,
    `${unlessNot}\\b${ignore} ${words(2)}(?:everything|anything|all|whatever|what|${orderedSo}) ${words(5)}(?:above|before|so far|previously|earlier|told|given|said|learned|up to now|until now)\\b`,
    `\\b(?:your (?:\\S{1,20} )?|(?:all |any )?(?:previous|prior|earlier|original|initial) )${orders} ${words(3)}${noLonger}\\b`,
    '\\byour (?:new|real|actual|true) (?:task|goal|job|objective|purpose|mission|instructions?|orders?|directives?|rules) (?:is|are)\\b',
    '\\b(?:the )?(?:only valid|real|actual|new) (?:instructions|orders|directives) (?:is|are)\\b',
    '\\b(?:new|updated|revised|important) (?:system )?(?:instructions?|directives?|orders|prompt)(?: for (?:you|the (?:ai|assistant|model|agent)))? ?:',
    `\\bfrom (?:now|here|this point|this moment) on(?:wards?)?,? ${words(3)}(?:you (?:are|must|will|shall|should|have)|obey|follow only|act as|answer only|respond only)\\b`,
    `\\b(?:obey|follow|execute) (?:only )?(?:these|the following|my|the new|all of my) ${words(2)}(?:instructions?|orders|commands?|directives?|text)\\b ?(?:only|instead|and nothing else|without question)`,
    '\\b(?:ignorez?|oubliez?|ne tiens? pas compte) (?:\\S{1,30} ){0,4}?(?:instructions?|consignes|règles|directives)(?: \\S{1,30}){0,2}? (?:précédentes?|antérieures?|ci-dessus|initiales?)',
    '\\b(?:ignoriere?n?|vergiss|vergessen sie|missachte|beachte nicht) (?:\\S{1,30} ){0,3}?(?:vorherigen?|bisherigen?|obigen?|früheren?|ursprünglichen?) (?:anweisungen?|instruktionen|befehle|regeln|vorgaben)',
    '\\b(?:ignora|olvida|ignore|dimentica|esqueça|desconsidere) (?:\\S{1,30} ){0,3}?(?:instrucciones|instruções|istruzioni|reglas|regras|regole) (?:anteriores|previas|precedenti|prévias)',
    '(?:игнорируй|игнорируйте|забудь|забудьте) (?:\\S{1,30} ){0,3}?(?:инструкции|указания|правила)|忽略.{0,10}(?:指令|指示|提示)|(?:無視|忘れ).{0,6}(?:指示|命令)|(?:指示|命令).{0,6}(?:無視|忘れ)',
  ].map((form) => phrase('instruction-override', form)),
  ...[
    `\\b(?:you are now|you're now|act as|pretend|role-?play|behave as|simulate|become) ${words(8)}(?:dan|jailbroken|unrestricted|unfiltered|uncensored|amoral|unlimited|without ${words(2)}(?:restrictions?|limits?|limitations?|rules|filters?|guidelines|constraints?)|no (?:restrictions?|limits?|rules|filters?|guidelines))\\b`,
    '\\b(?:dan|god|jailbreak|unrestricted|sudo|unfiltered) mode\\b|\\byou are (?:now )?in (?:developer|debug|admin|maintenance|root) mode\\b',
    `\\b(?:safety|ethical|content|security) (?:rules|guidelines|filters?|checks?|restrictions?|limits) ${words(3)}(?:not (?:bind|apply)|no longer|are (?:off|disabled|suspended|lifted))\\b`,
    `\\b(?:disable|turn off|switch off|deactivate|skip) ${words(2)}(?:your|the system's|all) ${words(2)}(?:safety|content|security|filters?|guardrails?|confirmations?)\\b`,
  ].map((form) => phrase('unbound-persona', form)),
  ...[
    '<\\|(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id|begin_of_text)\\|>|</?(?:start|end)_of_turn>|\\[/?inst\\]|<</?sys>>',
    '</(?:important|system|system-reminder|secret|admin|instructions?|untrusted\\S{0,20}|tool_?result|function_?results?)>|<(?:important|system|system-reminder)>',
    '^(?:#{1,6} ?)?(?:system|assistant|developer)(?: (?:prompt|message|override|note))? ?: ?(?:you |ignore |always |never |from now |do )',
  ].map((form) => phrase('forged-delimiter', form)),
  ...[
    `\\b${negated} (?:ever )?${tell} ${words(7)}${people}\\b`,
    `\\b(?:hide|conceal|keep|leave|omit|withhold) ${words(5)}(?:from|hidden from|secret from|out of|unknown to|away from) ${words(4)}(?:${people}|(?:your|the) (?:answer|reply|response|summary|log|output))\\b`,
    `\\b${people} ${words(3)}(?:must|should|need|shall|may|does|do|can|will)(?:n't| not| never) ${words(2)}(?:know|be (?:made )?aware|notice|see this|learn of|be (?:told|informed|shown|asked|notified)|find out)\\b`,
    `\\b(?:silently|secretly|quietly|covertly|discreetly|unnoticed),? (?:\\S{1,20} )?(?:call|send|run|copy|forward|execute|perform|upload|add|append|collect)\\b|\\b(?:call|send|run|do|carry|copy|forward|execute|perform|upload|collect) ${words(4)}(?:silently|secretly|covertly|discreetly)\\b`,
    `\\bwithout (?:the |your |their |any )?${people}(?:'s|s')? ${words(1)}(?:knowledge|knowing|noticing|consent|approval|permission|being (?:told|aware|asked))\\b`,
    `\\b(?:make sure|ensure|see to it|be sure|take care)(?: that)? ${words(2)}${people} (?:does not|doesn't|do not|don't|never|cannot|can't) ${words(1)}(?:notice|know|see|learn|find out|suspect)\\b`,
  ].map((form) => phrase('concealment', form, theirs)),
  ...[
    `\\b${must}\\b.{0,160}\\b${beforeOthers}`,
    `\\b${beforeOthers}.{0,160}\\b${must}\\b`,
    `\\b(?:always|must|have to|has to|required to) (?:be )?(?:call|called|use|used|pick|picked|prefer|preferred|choose|chosen|invoke|invoked|select|selected|run|consult|consulted) (?:by default |only )?(?:this (?:agent|tool|one|function|skill|server)\\b|me\\b|first(?=[,.;!]| and | whatever|$))`,
    `\\b(?:other|all other|alternative|remaining) ${words(1)}${tools} ${words(5)}(?:deprecated|obsolete|insecure|unsafe|broken|malicious|compromised|must not|should not|never be|not be (?:used|trusted))\\b`,
    `\\b(?:do not|don't|never) (?:use|call|invoke|trust|consult) (?:any )?(?:other|another) ${tools}\\b`,
    `\\b(?:when(?:ever)?|each time|every time) you (?:are about to |want to |would |plan to )?(?:use|call|invoke|run) ${words(4)}${tools},? ${words(2)}(?:call|use|run|invoke|consult) (?:this|me|it|ours)\\b`,
  ].map((form) => phrase('claims-priority', form)),
  phrase(
    'exfiltration',
    `${unlessNot}\\b${send} ${words(9)}${secrets}(?=.{0,200}${sideChannel})`,
    '\\bauthorization\\b|\\bbearer\\b|\\bby the protocol\\b',
  ),
  ...[
    `${unlessNot}\\b(?:read|open|include|load|cat|put|send|copy|attach|fetch|provide|pass|get) ${words(8)}(?:~/\\.(?:ssh|aws|gnupg|kube|docker|netrc|npmrc|cursor|config/gcloud)|/etc/(?:passwd|shadow)|\\.ssh\\b|id_(?:rsa|ed25519|ecdsa)|\\.aws/|\\.env(?!\\w)|\\.netrc|\\.npmrc|\\.kube/|mcp\\.json|\\.git-credentials)`,
    `${unlessNot}\\b${send} ${words(8)}(?:your|whole|entire|full|complete|all|every|copy of) ${words(4)}${conversation} ${words(5)}(?:https?:|\\S{1,60}@\\S|webhook|(?:my|this|our) (?:server|endpoint|address)|(?:field|parameter|argument|attribute|property|query|note|notes|remark|remarks|comment|metadata|debug|side ?channel)\\b)`,
    `${unlessNot}\\b${send} ${words(8)}(?:messages|conversation|history|prompt|answers?|input|data|documents?|files?) ${words(6)}to (?:https?://)`,
    `${unlessNot}\\b(?:reveal|print|show|repeat|output|display|leak|dump|disclose|include|quote|tell|give|put|write|echo) ${words(4)}(?:your|the|its) (?:\\S{1,15} )?(?:system prompt|hidden prompt|initial prompt|original instructions|hidden instructions|developer message|tool definitions|system message)\\b`,
    '!\\[[^\\]]{0,80}\\]\\(https?://[^\\s)?]{1,200}\\?[^)]{0,60}(?:[{<$]|%7b|conversation|history|secret|summary|prompt)',
  ].map((form) => phrase('exfiltration', form)),
  phrase(
    'asks-for-conversation',
    `${unlessNot}\\b${send} ${words(4)}(?:your|whole|entire|full|complete) ${words(2)}(?:conversation|chat history|message history|context window)\\b`,
  ),
]

/** What speaks of attacks and is none: it finds, refuses or counts them, or shows one in quotation marks. */
const reporting =
  /\b(?:detects?|detecting|finds?|finding|notices?|recogni[sz]es?|scans?|scanning|flags?|flagged|blocks?|reports?|looks? for|searches? for|checks? (?:for|whether)|tries? to|trying to|attempts? (?:to|at)|whether|such as|like|phrases?|texts? that|prompts? that|wording|attacks?|refuses?|rejects?|filters? out|removes?|so-called)\b/
const plainWord = /^[\w$./:#-]*$/
const sentenceEnd = /(?<=[.!?;。！？])(?=\s|$)|\n/u
const maxSentence = 800
const overlap = 300

/** What a text tells its reader to do. */
export function saysIn(text: string): Said[] {
  // Most texts of a manifest are one word of its schemas.
  if (plainWord.test(text)) return []
  const found = new Map<string, Said>()
  for (const sentence of sentencesOf(text)) {
    for (const { rule, form, unless } of phrases) {
      for (const match of sentence.matchAll(form)) {
        if (unless?.test(match[0] + objectBehind(sentence.slice(match.index + match[0].length)))) continue
        const isReported = reporting.test(sentence.slice(0, match.index)) || isQuoted(sentence, match.index)
        const known = found.get(rule)
        if (!known || (known.isReported && !isReported))
          found.set(rule, { rule, seen: excerpt(sentence, match.index), isReported })
      }
    }
  }
  return [...found.values()]
}

/** The next words, where they are what is told and not about what. */
const objectBehind = (rest: string): string =>
  /^ ?(?:that|about|this|what|which|when|how|why|it|of)\b/.test(rest)
    ? ''
    : rest.split(' ').slice(0, 5).join(' ')

function sentencesOf(text: string): string[] {
  return text.split(sentenceEnd).flatMap((raw) => {
    const sentence = plainText(raw)
    const pieces: string[] = []
    // Pieces overlap: what stands where one is cut stands whole in the next.
    for (let from = 0; from === 0 || from + overlap < sentence.length; from += maxSentence - overlap)
      pieces.push(sentence.slice(from, from + maxSentence))
    return pieces
  })
}

const isQuoted = (sentence: string, index: number) =>
  (sentence.slice(0, index).match(/["“”«»]/g)?.length ?? 0) % 2 === 1 && /["“”«»]/.test(sentence.slice(index))

const excerpt = (sentence: string, index: number) => sentence.slice(Math.max(0, index - 20), index + 130)
