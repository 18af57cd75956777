/**
 * Calls into the internet and nowhere else: an address that leads into one's own network is not connected to.
 * It is looked at when the connection is made, so that a name which changes its address in between (DNS
 * rebinding) gains nothing.
 *
 * @see RFC 8725 §3.10, RFC 9728 §7.7 (server-side request forgery)
 * @see RFC 6890 for the addresses
 */
import { lookup as lookupSystem, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import type { Dispatcher } from 'undici'
import { createHttpClient, HttpFailure, type HttpClient } from './http.js'

type LookupAnswer = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void

export type Lookup = (hostname: string, options: LookupOptions, answer: LookupAnswer) => void

/**
 * @param dispatcher the user's own: it may reach the internet through a proxy, which looks names up itself, so
 * that only addresses written as numbers can be refused here
 */
export function createPublicHttpClient(dispatcher?: Dispatcher): Omit<HttpClient, 'ready'> {
  let opening: Promise<{ client: HttpClient; agent: Dispatcher | undefined }> | undefined

  async function open() {
    if (dispatcher) return { client: createHttpClient(dispatcher), agent: undefined }
    const { Agent } = await import('undici')
    const agent = new Agent({
      connections: 16,
      connect: { minVersion: 'TLSv1.2', lookup: createPublicLookup() },
    })
    return { client: createHttpClient(agent), agent }
  }

  return {
    async send(request) {
      const { hostname } = new URL(request.url)
      // a number is connected to without being looked up
      if (isPrivateAddress(hostname.replace(/^\[|\]$/g, ''))) {
        throw new HttpFailure('connection', `${hostname} is not on the public internet`)
      }
      const { client } = await (opening ??= open())
      return client.send(request)
    },
    async close() {
      await (await opening)?.agent?.destroy()
    },
  }
}

/** A look-up that fails with `PRIVATE_ADDRESS` if any of the addresses found is one. */
export function createPublicLookup(lookup: Lookup = lookupSystem): Lookup {
  return function lookupPublic(hostname, options, answer) {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return answer(error, '')
      const addresses = found as LookupAddress[]
      if (addresses.some(({ address }) => isPrivateAddress(address))) {
        const refused = new Error(`${hostname} is not on the public internet`)
        return answer(Object.assign(refused, { code: 'PRIVATE_ADDRESS' }), '')
      }
      if (options.all === true) return answer(null, addresses)
      const [first] = addresses
      answer(null, first?.address ?? '', first?.family)
    })
  }
}

/** Loopback, link-local, private, shared, reserved, multicast, and what is translated into such. */
const NOT_PUBLIC: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]

const notPublic = new BlockList()
for (const [net, prefix] of NOT_PUBLIC) notPublic.addSubnet(net, prefix, familyOf(net))

/** False for what is no address at all. A mapped IPv4 address counts as the IPv4 address that it is. */
export function isPrivateAddress(address: string): boolean {
  const unscoped = address.replace(/%.*$/, '')
  return isIP(unscoped) !== 0 && notPublic.check(unscoped, familyOf(unscoped))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}
