// See server-process.ts. oauth2-mock-server with a key of each kind, and what the tests want of it.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { Events, OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server'

const issuer = new OAuth2Issuer()
const service = new OAuth2Service(issuer)
for (const [kid, alg] of Object.entries({ rs: 'RS256', ps: 'PS256', es: 'ES256', ed: 'EdDSA' })) {
  await issuer.keys.generate(alg, { kid })
}
const server = createServer(service.requestHandler)
await once(server.listen(0, '127.0.0.1'), 'listening')
issuer.url = `http://127.0.0.1:${server.address().port}`

const methods = {
  /** Claims and header parameters are added to its own; null takes one away. */
  sign: ({ claims, header, kid }) =>
    issuer.buildToken({
      kid,
      scopesOrTransform(itsHeader, itsClaims) {
        merge(itsHeader, header)
        merge(itsClaims, claims)
      },
    }),
  answerIntrospection(answer) {
    service.once(Events.BeforeIntrospect, (response) => Object.assign(response, answer))
  },
  rename(url) {
    issuer.url = url
  },
}

function merge(target, patch) {
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete target[name]
    else target[name] = value
  }
}

process.on('message', async ({ method, argument }) =>
  process.send((await methods[method](argument)) ?? 'done'),
)
process.on('disconnect', () => process.exit())
process.send({ url: issuer.url })
