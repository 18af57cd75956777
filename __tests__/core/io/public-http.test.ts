import { lookup as lookupSystem, type LookupAddress } from 'node:dns'
import { describe, expect, it } from '@jest/globals'
import {
  createPublicHttpClient,
  createPublicLookup,
  isPrivateAddress,
  type Lookup,
} from '../../../lib/core/io/public-http.js'
import { createTestIssuer } from '../../../lib/testing/test-issuer.js'

describe('isPrivateAddress', () => {
  it.each([
    ['127.0.0.1'],
    ['127.255.0.9'],
    ['0.0.0.0'],
    ['10.1.2.3'],
    ['100.64.0.1'],
    ['169.254.169.254'],
    ['172.16.0.1'],
    ['172.31.255.255'],
    ['192.168.1.1'],
    ['224.0.0.1'],
    ['255.255.255.255'],
    ['::'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['::ffff:a00:1'],
    ['64:ff9b::a9fe:a9fe'],
    ['2002:7f00:1::'],
    ['fd00:ec2::254'],
    ['fe80::1'],
    ['fe80::1%eth0'],
    ['ff02::1'],
  ])('%s is not on the public internet', (address) => {
    expect(isPrivateAddress(address)).toBe(true)
  })

  it.each([
    ['1.1.1.1'],
    ['172.32.0.1'],
    ['100.128.0.1'],
    ['2606:4700::1111'],
    ['::ffff:8.8.8.8'],
    ['example.com'],
    [''],
  ])('%s is, or is no address', (address) => {
    expect(isPrivateAddress(address)).toBe(false)
  })
})

describe('createPublicLookup', () => {
  const answering =
    (addresses: readonly LookupAddress[]): Lookup =>
    (_hostname, _options, answer) =>
      answer(null, [...addresses])

  function look(lookup: Lookup, all: boolean) {
    return new Promise((resolve, reject) => {
      lookup('host.example', { all }, (error, address, family) => {
        if (error) reject(error)
        else resolve(all ? address : { address, family })
      })
    })
  }

  it('hands on public addresses, all or the first', async () => {
    const addresses = [
      { address: '1.1.1.1', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ]
    expect(await look(createPublicLookup(answering(addresses)), true)).toEqual(addresses)
    expect(await look(createPublicLookup(answering(addresses)), false)).toEqual(addresses[0])
  })

  it('fails if one of several addresses is private', async () => {
    const addresses = [
      { address: '1.1.1.1', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ]
    const looked = look(createPublicLookup(answering(addresses)), true)
    await expect(looked).rejects.toMatchObject({ code: 'PRIVATE_ADDRESS' })
  })

  it('fails as the look-up does', async () => {
    const failing: Lookup = (_hostname, _options, answer) =>
      answer(Object.assign(new Error(), { code: 'ENOTFOUND' }), '')
    await expect(look(createPublicLookup(failing), true)).rejects.toMatchObject({ code: 'ENOTFOUND' })
  })

  it('knows what the system says of localhost', async () => {
    const looked = new Promise((resolve) => {
      createPublicLookup(lookupSystem)('localhost', {}, (error) => resolve(error))
    })
    expect(await looked).toMatchObject({ code: 'PRIVATE_ADDRESS' })
  })
})

describe('createPublicHttpClient', () => {
  it.each([
    ['by number', 'http://127.0.0.1'],
    ['by a number that is written otherwise', 'http://2130706433'],
    ['by name', 'http://localhost'],
  ])('R8725-09 does not connect to a private address given %s', async (_how, origin) => {
    const as = await createTestIssuer()
    const client = createPublicHttpClient()
    const { port } = new URL(as.origin)
    const call = client.send({
      url: `${origin}:${port}/jwks`,
      method: 'GET',
      headers: {},
      timeoutMs: 2000,
      maxBytes: 1000,
    })
    await expect(call).rejects.toMatchObject({ name: 'HttpFailure', kind: 'connection' })
    expect(as.count()).toBe(0)
    await client.close()
    await as.close()
  })
})
