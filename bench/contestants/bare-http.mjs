// The limit without Express: no authentication, the same answer.
export default async function () {
  return (req, res) => {
    const body = JSON.stringify({ sub: 'user-00000000' })
    res.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    })
    res.end(body)
  }
}
