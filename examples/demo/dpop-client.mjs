// A client with a key of its own (openid-client), and a thief who has read all that it sent.
//   node examples/demo/dpop-client.mjs http://127.0.0.1:3000/ http://127.0.0.1:4010
import * as oauth from 'openid-client'

const [url, issuer] = process.argv.slice(2)
const resource = 'https://api.example.com'

const insecure = { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] }
const authentication = oauth.ClientSecretBasic('svc-secret')
const config = await oauth.discovery(new URL(issuer), 'svc', undefined, authentication, insecure)
let overheard
config[oauth.customFetch] = (address, request) => {
  overheard = Object.fromEntries(new Headers(request.headers))
  return fetch(address, request)
}

const DPoP = oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair('ES256'))
const { access_token: token } = await oauth.clientCredentialsGrant(config, { resource }, { DPoP })
// the first answer demands a nonce; openid-client puts it into the next proof
const own = await oauth.fetchProtectedResource(config, token, new URL(url), 'GET', undefined, undefined, {
  DPoP,
})
console.log('the client          ', own.status, await own.text())

const { authorization, dpop } = overheard
await steal('the same once more  ', { authorization, dpop })
await steal('without the proof   ', { authorization })
await steal('as a bearer token   ', { authorization: `Bearer ${token}` })

async function steal(what, headers) {
  const answer = await fetch(url, { headers })
  console.log(what, answer.status, (await answer.json()).error_description)
}
