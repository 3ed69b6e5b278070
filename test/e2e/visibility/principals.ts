import { scopes } from '@community/infra/config.ts'
import { scopes as serviceScopes } from '@community/subgraphs/agents/orchestrate/ask.ts'

/** Who asks; no organization: anonymous. */
export type Principal = {
  name: string
  subject: string
  organization: string | null
  scopes: readonly string[]
}

export type Visibility = 'PRIVATE' | 'ORGANIZATION' | 'PARTNERS' | 'PUBLIC'

/** What an organization offers, names partners, and is looked at by all others. */
export const owner = 'vega'
export const partner = 'lupus'
export const stranger = 'corvus'
export const home = 'ossa'

/** The whole rule. What is only for some of those who see a thing says so where it is made, in `offers.ts`. */
export function mayRead({ organization, scopes: its }: Principal, visibility: Visibility): boolean {
  if (visibility === 'PUBLIC') return true
  if (visibility === 'PARTNERS') return organization === owner || organization === partner
  return organization === owner && (visibility === 'ORGANIZATION' || its.includes('org:admin'))
}

const administration = ['org:admin', 'marketplace:moderate', 'certification:revoke']
const ofMembers = scopes.filter((scope) => !administration.includes(scope))
const ofAdministrators = [...ofMembers, 'org:admin']

const member = (organization: string, whose: string): Principal => ({
  name: `a member of ${whose}`,
  subject: `member of ${organization}`,
  organization,
  scopes: ofMembers,
})
const administratorOf = (organization: string, whose: string): Principal => ({
  name: `an administrator of ${whose}`,
  subject: `administrator of ${organization}`,
  organization,
  scopes: ofAdministrators,
})

export const administrator = administratorOf(owner, 'the owner')

export const principals: readonly Principal[] = [
  { name: 'nobody in particular', subject: 'anonymous', organization: null, scopes: [] },
  member(owner, 'the owner'),
  administrator,
  member(partner, 'a partner'),
  administratorOf(partner, 'a partner'),
  member(stranger, 'a stranger'),
  administratorOf(stranger, 'a stranger'),
  {
    name: 'a moderator of the home organization',
    subject: 'moderator of ossa',
    organization: home,
    scopes: ['marketplace:moderate', 'certification:revoke'],
  },
  { name: 'a stranger with every scope', subject: 'all of corvus', organization: stranger, scopes },
  {
    name: 'the orchestrator for a stranger',
    subject: 'agent:community-orchestrator',
    organization: stranger,
    scopes: serviceScopes,
  },
  { name: 'an agent of a stranger', subject: 'agent:corvus/rook', organization: stranger, scopes: [] },
  { name: 'an agent of the owner', subject: 'agent:vega/kite', organization: owner, scopes: [] },
]
