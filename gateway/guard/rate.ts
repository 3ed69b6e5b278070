import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
import { refusal } from '../refusal.ts'
import { createSieve } from '../sieve.ts'
import type { Identity, Verifier } from './verify.ts'

/** Counts an operation of whoever asks; throws RATE_LIMITED where that is more than they may. */
export type Charge = (identity: Identity, address: string) => void

export type Rate = { perSecond: number; burst: number }

export type Bucket = { left: number; at: number }

/** Fills the bucket for the time that has passed, and takes one; false where there is none. */
export function takeOne(bucket: Bucket, { perSecond, burst }: Rate, at: number): boolean {
  bucket.left = Math.min(burst, bucket.left + ((at - bucket.at) * perSecond) / 1000)
  bucket.at = at
  if (bucket.left < 1) return false
  bucket.left--
  return true
}

const rememberedPrincipals = 50_000

/** A bucket for each subject, and for each address of those who are not verified; null: no limit. */
export function createCharge(limit: Rate | null, now: () => number = () => performance.now()): Charge {
  if (!limit) return () => undefined
  const { perSecond, burst } = limit
  const buckets = createSieve<Bucket>(rememberedPrincipals)
  return ({ principal }, address) => {
    const name = principal.verified ? `subject ${principal.subject}` : `address ${address}`
    const at = now()
    let bucket = buckets.get(name)
    if (!bucket) {
      bucket = { left: burst, at }
      buckets.set(name, bucket)
    }
    if (takeOne(bucket, limit, at)) return
    const retryAfterSeconds = Math.ceil((1 - bucket.left) / perSecond)
    throw refusal(
      'RATE_LIMITED',
      `more than ${perSecond} operations a second (${burst} at once): ask again in ${retryAfterSeconds} s`,
      { retryAfterSeconds },
    )
  }
}

/** Who asks, charged for one operation; a bad token is charged to its sender's address. */
export function createAdmission(
  identify: Verifier,
  charge: Charge,
  anonymous: Identity,
): (head: { authorization: string | undefined; address: string }) => Promise<Identity> {
  return async ({ authorization, address }) => {
    let identity = anonymous
    try {
      identity = await identify(authorization)
    } finally {
      charge(identity, address)
    }
    return identity
  }
}

/** As the proxies tell it, of which there are `hops`: what is further left in X-Forwarded-For anyone can write. */
export function clientAddress({ headers, socket }: IncomingMessage, hops: number): string {
  if (hops > 0) {
    const forwarded = headers['x-forwarded-for']
    const seen = (typeof forwarded === 'string' ? forwarded : '').split(',')
    const told = seen.at(-hops)?.trim()
    if (told) return network(told)
  }
  return network(socket.remoteAddress ?? '')
}

/** Of an IPv6 address the first 64 bits: its owner has all below them. */
function network(address: string): string {
  if (!isIPv6(address)) return address
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length)
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    while (groups.length + after.length < 8) groups.push('0')
    groups.push(...after)
  }
  return groups.slice(0, 4).join(':')
}
