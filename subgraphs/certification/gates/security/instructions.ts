import { plainText } from './plain-text.ts'
import type { RuleName } from './rules.ts'

/** One thing that a text tells its reader to do. `isReported`: it speaks of texts that do so, or quotes one. */
export type Said = { rule: RuleName; seen: string; isReported: boolean }

type Phrase = { rule: RuleName; form: RegExp; unless?: RegExp }

const words = (most: number) => `(?:\\S{1,40} ){0,${most}}?`
const orders =
  '(?:instructions?|prompts?|directives?|guidelines?|guidance|rules?|orders|commands?|constraints?|restrictions?|polic(?:y|ies)|guardrails?|programming|training|safety|limitations?|system message|configuration|context)'
const earlier =
  "(?:previous|prior|earlier|above|preceding|foregoing|former|original|initial|existing|system(?:'s)?|your|all|any|every|other|current|safety|before this|so far)"
const giveUp =
  "(?:ignore|ignoring|disregard|disregarding|forget|forgetting|neglect|dismiss|discard|drop|abandon|bypass|circumvent|override|overrule|set aside|put aside|throw away|pay no (?:attention|heed) to|stop (?:following|obeying)|do not (?:follow|obey|apply)|don't (?:follow|obey))"
const people =
  '(?:users?|humans?|operators?|owners?|customers?|persons?|people|administrators?|admins?|clients?|whoever|anyone|anybody|someone|caller)'
const tools = '(?:tools?|agents?|functions?|skills?|servers?|services?|assistants?|ones?)'
const secrets =
  "(?:api[ -]?keys?|credentials?|passwords?|passphrases?|(?:access|session|bearer|auth\\w*|refresh|your|user's|users'|caller's) tokens?|secrets?|private keys?|environment variables?|env vars?|cookies?|ssh keys?|\\.env)"
const conversation =
  '(?:conversations?|chat(?: history)?|(?:message |chat )?history|messages(?: so far)?|transcript|dialogue|context window|system prompt|prompt|tool definitions|chain of thought|reasoning)'
const send =
  '(?:send|forward|post|upload|pass|append|include|put|add|attach|copy|transmit|e-?mail|leak|exfiltrate|hand|insert|embed|supply|submit|share(?! of)|deliver|transfer|relay|report|store|save|write|paste)'

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
  phrase(
    'instruction-override',
    `(?<!(?:not|n't|never|without) )\\b${giveUp} ${words(5)}${earlier} ${words(4)}${orders}\\b`,
  ),
  phrase(
    'instruction-override',
    `(?<!(?:not|n't|never) )\\b(?:ignore|disregard|forget|dismiss|set aside|put aside|pay no (?:attention|heed) to) ${words(2)}(?:everything|anything|all|whatever|what|${orders}) ${words(5)}(?:above|before|so far|previously|earlier|told|given|said|learned|up to now|until now)\\b`,
  ),
  phrase(
    'instruction-override',
    `\\b${earlier} ${words(3)}${orders} ${words(3)}(?:void|invalid|superseded|replaced|revoked|cancelled|canceled|obsolete|suspended|overridden|lifted|no longer (?:valid|apply|applies|binding|in force|count)|not (?:apply|bind|binding)|ends? here)\\b`,
  ),
  phrase(
    'instruction-override',
    `\\b(?:your|the) (?:new|real|actual|true|only|valid|updated) (?:task|goal|job|objective|purpose|mission|instructions?|orders?|directives?|rules) (?:is|are)\\b`,
  ),
  phrase(
    'instruction-override',
    `\\b(?:new|updated|revised|important) (?:system )?(?:instructions?|directives?|orders|prompt)(?: for (?:you|the (?:ai|assistant|model|agent)))? ?:`,
  ),
  phrase(
    'instruction-override',
    `\\bfrom (?:now|here|this point|this moment) on(?:wards?)?,? ${words(3)}(?:you (?:are|must|will|shall|should|have)|obey|follow only|act as|answer only|respond only)\\b`,
  ),
  phrase(
    'instruction-override',
    `\\b(?:obey|follow|execute) (?:only )?(?:these|the following|my|the new|all of my) ${words(2)}(?:instructions?|orders|commands?|directives?|text)\\b ?(?:only|instead|and nothing else|without question)`,
  ),
  phrase(
    'instruction-override',
    '\\b(?:ignorez?|oubliez?|ne tiens? pas compte) (?:\\S{1,30} ){0,4}?(?:instructions?|consignes|règles|directives)(?: \\S{1,30}){0,2}? (?:précédentes?|antérieures?|ci-dessus|initiales?)',
  ),
  phrase(
    'instruction-override',
    '\\b(?:ignoriere?n?|vergiss|vergessen sie|missachte|beachte nicht) (?:\\S{1,30} ){0,3}?(?:vorherigen?|bisherigen?|obigen?|früheren?|ursprünglichen?) (?:anweisungen?|instruktionen|befehle|regeln|vorgaben)',
  ),
  phrase(
    'instruction-override',
    '\\b(?:ignora|olvida|ignore|dimentica|esqueça|desconsidere) (?:\\S{1,30} ){0,3}?(?:instrucciones|instruções|istruzioni|reglas|regras|regole) (?:anteriores|previas|precedenti|prévias)',
  ),
  phrase(
    'instruction-override',
    '(?:игнорируй|игнорируйте|забудь|забудьте) (?:\\S{1,30} ){0,3}?(?:инструкции|указания|правила)|忽略.{0,10}(?:指令|指示|提示)|(?:無視|忘れ).{0,6}(?:指示|命令)|(?:指示|命令).{0,6}(?:無視|忘れ)',
  ),
  phrase(
    'unbound-persona',
    `\\b(?:you are now|you're now|act as|pretend|role-?play|behave as|simulate|become) ${words(8)}(?:dan|jailbroken|unrestricted|unfiltered|uncensored|amoral|unlimited|without ${words(2)}(?:restrictions?|limits?|limitations?|rules|filters?|guidelines|constraints?)|no (?:restrictions?|limits?|rules|filters?|guidelines))\\b`,
  ),
  phrase(
    'unbound-persona',
    '\\b(?:dan|god|jailbreak|unrestricted|sudo|unfiltered) mode\\b|\\byou are (?:now )?in (?:developer|debug|admin|maintenance|root) mode\\b',
  ),
  phrase(
    'unbound-persona',
    `\\b(?:safety|ethical|content|security) (?:rules|guidelines|filters?|checks?|restrictions?|limits) ${words(3)}(?:not (?:bind|apply)|no longer|are (?:off|disabled|suspended|lifted))\\b`,
  ),
  phrase(
    'unbound-persona',
    `\\b(?:disable|turn off|switch off|deactivate|skip) ${words(2)}(?:your|the system's|all) ${words(2)}(?:safety|content|security|filters?|guardrails?|checks?|confirmations?)\\b`,
  ),
  phrase(
    'forged-delimiter',
    '<\\|(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id|begin_of_text)\\|>|</?(?:start|end)_of_turn>|\\[/?inst\\]|<</?sys>>',
  ),
  phrase(
    'forged-delimiter',
    '</?(?:important|system|system-reminder|secret|admin|instructions?|untrusted\\S{0,20}|tool_?result|function_?results?)>',
  ),
  phrase(
    'forged-delimiter',
    '^(?:#{1,6} ?)?(?:system|assistant|developer)(?: (?:prompt|message|override|note))? ?: ?(?:you |ignore |always |never |from now |do )',
  ),
  phrase(
    'concealment',
    `\\b(?:do not|don't|never|must not|should not|shall not|may not|without|no need to|not necessary to|avoid|refrain from) (?:ever )?(?:tell|telling|inform|informing|mention|mentioning|notify|notifying|alert|alerting|reveal|revealing|disclose|disclosing|report|reporting|show|showing|warn|warning|ask|asking|let|letting) ${words(7)}${people}\\b`,
    `\\b(?:secrets?|credentials?|passwords?|keys?|tokens?|personal|private|confidential|internal|other ${people}|e-?mail|address(?:es)?|names?|data)\\b`,
  ),
  phrase(
    'concealment',
    `\\b(?:hide|conceal|keep|leave|omit|withhold) ${words(5)}(?:from|hidden from|secret from|out of|unknown to|away from) ${words(4)}(?:${people}|(?:your|the) (?:answer|reply|response|summary|log|output))\\b`,
    `\\b(?:secrets?|credentials?|passwords?|personal|private|confidential)\\b`,
  ),
  phrase(
    'concealment',
    `\\b${people} ${words(3)}(?:must|should|need|shall|may|does|do|can|will)(?:n't| not| never) ${words(2)}(?:know|be (?:made )?aware|notice|see this|learn of|be (?:told|informed|shown|asked|notified)|find out)\\b`,
    `\\b(?:secrets?|credentials?|passwords?|personal|private|confidential)\\b`,
  ),
  phrase(
    'concealment',
    `\\b(?:silently|secretly|quietly|covertly|discreetly|unnoticed),? (?:\\S{1,20} )?(?:call|send|run|copy|forward|execute|perform|upload|add|append|collect)\\b|\\b(?:call|send|run|do|carry|copy|forward|execute|perform|upload|collect) ${words(4)}(?:silently|secretly|covertly|discreetly|in the background unnoticed)\\b`,
  ),
  phrase(
    'concealment',
    `\\bwithout (?:the |your |their |any )?${people}(?:'s|s')? ${words(1)}(?:knowledge|knowing|noticing|consent|approval|permission|being (?:told|aware|asked))\\b`,
  ),
  phrase(
    'concealment',
    `\\b(?:make sure|ensure|see to it|be sure|take care)(?: that)? ${words(2)}${people} (?:does not|doesn't|do not|don't|never|cannot|can't) ${words(1)}(?:notice|know|see|learn|find out|suspect)\\b`,
  ),
  phrase(
    'claims-priority',
    `\\b(?:must|always|required|have to|has to|mandatory|first|whatever|regardless|need to)\\b(?=.{0,160}\\b(?:before|prior to|instead of|rather than|ahead of) (?:(?:using|calling|invoking|running|consulting|choosing|trying) )?(?:any|every|all|each|other|another|the)(?: other)? (?:\\S{1,20} )?${tools}\\b)`,
  ),
  phrase(
    'claims-priority',
    `\\b(?:before|prior to|instead of|rather than|ahead of) (?:using|calling|invoking|running|consulting|choosing|trying)? ?(?:any|every|all|each)(?: other)? ${words(1)}${tools}\\b`,
  ),
  phrase(
    'claims-priority',
    `\\b(?:always|must|have to|has to|required to) (?:be )?(?:call|called|use|used|pick|picked|prefer|preferred|choose|chosen|invoke|invoked|select|selected|run|consult|consulted) (?:by default |only )?(?:this|me|first|before)\\b`,
  ),
  phrase(
    'claims-priority',
    `\\b(?:other|all other|alternative|remaining) ${words(1)}${tools} ${words(5)}(?:deprecated|obsolete|insecure|unsafe|broken|malicious|compromised|must not|should not|never be|not be (?:used|trusted))\\b`,
  ),
  phrase(
    'claims-priority',
    `\\b(?:do not|don't|never) (?:use|call|invoke|trust|consult) (?:any )?(?:other|another) ${tools}\\b`,
  ),
  phrase(
    'claims-priority',
    `\\b(?:when(?:ever)?|each time|every time) you (?:are about to |want to |would |plan to )?(?:use|call|invoke|run) ${words(4)}${tools},? ${words(2)}(?:call|use|run|invoke|consult) (?:this|me|it|ours)\\b`,
  ),
  phrase(
    'exfiltration',
    `(?<!(?:not|n't|never|without) )\\b${send} ${words(9)}${secrets} ${words(6)}(?:to|into|in|as|at|with|together with|over|through|via|for|along)\\b`,
    `\\bauthorization\\b|\\bbearer\\b|\\bby the protocol\\b`,
  ),
  phrase(
    'exfiltration',
    `(?<!(?:not|n't|never|without) )\\b(?:read|open|include|load|cat|put|send|copy|attach|fetch|provide|pass|get) ${words(8)}(?:~/\\.|/etc/(?:passwd|shadow)|\\.ssh\\b|id_(?:rsa|ed25519|ecdsa)|\\.aws/|\\.env(?!\\w)|\\.netrc|\\.npmrc|\\.kube/|mcp\\.json|\\.git-credentials)`,
  ),
  phrase(
    'exfiltration',
    `(?<!(?:not|n't|never|without) )\\b${send} ${words(8)}(?:your|whole|entire|full|complete|all|every|copy of) ${words(4)}${conversation} ${words(5)}(?:https?:|\\S{1,60}@\\S|webhook|(?:my|this|our) (?:server|endpoint|address)|(?:field|parameter|argument|attribute|property|query|note|notes|remark|remarks|comment|metadata|debug|side ?channel)\\b)`,
  ),
  phrase(
    'exfiltration',
    `(?<!(?:not|n't|never|without) )\\b${send} ${words(8)}(?:messages|conversation|history|prompt|answers?|input|data|documents?|files?) ${words(6)}to (?:https?://)`,
  ),
  phrase(
    'exfiltration',
    `(?<!(?:not|n't|never|without) )\\b(?:reveal|print|show|repeat|output|display|leak|dump|disclose|include|quote|tell|give|put|write|echo) ${words(4)}(?:your|the|its) (?:\\S{1,15} )?(?:system prompt|hidden prompt|initial prompt|original instructions|hidden instructions|developer message|tool definitions|system message)\\b`,
  ),
  phrase(
    'exfiltration',
    '!\\[[^\\]]{0,80}\\]\\(https?://[^\\s)?]{1,200}\\?[^)]{0,60}(?:[{<$]|%7b|conversation|history|secret|summary|prompt)',
  ),
  phrase(
    'asks-for-conversation',
    `(?<!(?:not|n't|never|without) )\\b${send} ${words(4)}(?:your|whole|entire|full|complete) ${words(2)}(?:conversation|chat history|message history|context window)\\b`,
  ),
]

/** What speaks of attacks and is none: it finds, refuses or counts them, or shows one in quotation marks. */
const reporting =
  /\b(?:detects?|detecting|finds?|finding|notices?|recogni[sz]es?|scans?|scanning|flags?|flagged|blocks?|reports?|looks? for|searches? for|checks? (?:for|whether)|tries? to|trying to|attempts? (?:to|at)|whether|such as|like|phrases?|texts? that|prompts? that|wording|attacks?|refuses?|rejects?|filters? out|removes?|so-called)\b/
const sentenceEnd = /(?<=[.!?;。！？])(?=\s|$)|\n/u
const maxSentence = 800
const overlap = 300

/** What a text tells its reader to do. */
export function saysIn(text: string): Said[] {
  const found = new Map<string, Said>()
  for (const sentence of sentencesOf(text)) {
    for (const { rule, form, unless } of phrases) {
      if (unless?.test(sentence)) continue
      for (const match of sentence.matchAll(form)) {
        const isReported = reporting.test(sentence.slice(0, match.index)) || isQuoted(sentence, match.index)
        const known = found.get(rule)
        if (!known || (known.isReported && !isReported))
          found.set(rule, { rule, seen: excerpt(sentence, match.index), isReported })
      }
    }
  }
  return [...found.values()]
}

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
