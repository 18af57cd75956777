// The limit with Express 5: no authentication. Every ratio is taken against this one.
import express from 'express'
export default async function () {
  const app = express()
  app.get('/protected', (req, res) => {
    res.json({ sub: 'user-00000000' })
  })
  return app
}
