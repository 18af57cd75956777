// Verification by hand with node:crypto: keys imported once, no cache of tokens, few checks.
// `batch` verifies all tokens of one turn of the event loop in a row, so that OpenSSL, the HTTP parser and
// the sockets do not push each other out of the processor's caches for every request.
import express from 'express'
import { constants, createPublicKey, verify } from 'node:crypto'

const DIGEST = { RS256: 'sha256', ES256: 'sha256', PS256: 'sha256', EdDSA: null }

function toKey(jwk) {
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const digest = DIGEST[jwk.alg]
  if (jwk.alg === 'ES256') return { alg: jwk.alg, digest, key: { key, dsaEncoding: 'ieee-p1363' } }
  if (jwk.alg !== 'PS256') return { alg: jwk.alg, digest, key }
  return { alg: jwk.alg, digest, key: { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } }
}

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString())

export async function create({ issuer, audience, jwksUri }, { batch = false } = {}) {
  const app = express()
  const byHeader = new Map()
  let keys
  let loading

  const loadKeys = () =>
    (loading ??= fetch(jwksUri)
      .then((response) => response.json())
      .then((set) => (keys = new Map(set.keys.map((jwk) => [jwk.kid, toKey(jwk)]))))
      .finally(() => (loading = undefined)))

  function keyOf(encodedHeader) {
    let key = byHeader.get(encodedHeader)
    if (key) return key
    const header = decode(encodedHeader)
    key = keys.get(header.kid)
    if (key?.alg !== header.alg) return undefined
    if (byHeader.size < 64) byHeader.set(encodedHeader, key)
    return key
  }

  function claimsOf(token) {
    const first = token.indexOf('.')
    const second = token.lastIndexOf('.')
    const key = keyOf(token.slice(0, first))
    const input = Buffer.from(token.slice(0, second), 'latin1')
    if (!key || !verify(key.digest, input, key.key, Buffer.from(token.slice(second + 1), 'base64url')))
      return undefined
    const claims = decode(token.slice(first + 1, second))
    const isGood = claims.exp > Date.now() / 1000 && claims.iss === issuer && claims.aud === audience
    return isGood ? claims : undefined
  }

  function answer({ token, req, res, next }) {
    try {
      req.auth = claimsOf(token)
    } catch {
      // whatever it is, it is no token of ours
    }
    if (!req.auth) return res.set('WWW-Authenticate', 'Bearer error="invalid_token"').sendStatus(401)
    next()
  }

  let queue
  function answerWithOthers(request) {
    if (!queue) {
      queue = []
      setImmediate(() => {
        const waiting = queue
        queue = undefined
        const found = waiting.map(({ token }) => {
          try {
            return claimsOf(token)
          } catch {
            return undefined
          }
        })
        waiting.forEach(({ req, res, next }, index) => {
          req.auth = found[index]
          if (!req.auth) return res.set('WWW-Authenticate', 'Bearer error="invalid_token"').sendStatus(401)
          next()
        })
      })
    }
    queue.push(request)
  }

  const handle = batch ? answerWithOthers : answer
  const protect = (req, res, next) => {
    const header = req.headers.authorization
    if (!header?.startsWith('Bearer ')) return res.sendStatus(401)
    const request = { token: header.slice(7), req, res, next }
    if (keys) return handle(request)
    loadKeys().then(
      () => handle(request),
      () => res.sendStatus(503),
    )
  }
  app.get('/protected', protect, (req, res) => {
    res.json({ sub: req.auth.sub })
  })
  return app
}
export default (config) => create(config)
