// Cost of one middleware that reads the header and calls next() synchronously.
import express from 'express'
export default async function () {
  const app = express()
  const mw = (req, res, next) => {
    const h = req.headers.authorization
    if (!h) return res.sendStatus(401)
    req.auth = { sub: 'user-00000000' }
    next()
  }
  app.get('/protected', mw, (req, res) => {
    res.json({ sub: req.auth.sub })
  })
  return app
}
