// Self-contained access tokens (JWT), verified here with the keys that the issuer publishes.
import express from 'express'
import { resourceServer } from 'express-resource-server'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010' } = process.env

const app = express()
app.use(resourceServer({ resource: 'https://api.example.com', issuer: ISSUER }))
app.get('/', (req, res) => res.json({ hello: req.auth.subject }))

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
