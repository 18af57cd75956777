/** What a browser does for a user who signs in: follows redirects and keeps cookies, until one leads back. */

/** @returns the address of the first redirect that begins with `back` */
export async function followRedirects(start: string | URL, back: string): Promise<URL> {
  const cookies = new Map<string, string>()
  let url = String(start)
  for (let hops = 0; hops < 10; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
    url = new URL(location, url).href
    if (url.startsWith(back)) return new URL(url)
  }
  throw new Error(`too many redirects, the last one to ${url}`)
}
