/** Asks `resourceServer` in a process of its own, which trusts a certificate authority of the test's. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { ResourceServerOptions } from '../../lib/index.js'

const SCRIPT = `
const { library, options, token } = JSON.parse(process.env.QUESTION)
const { resourceServer } = await import(library)
const guard = resourceServer(options)
const outcome = await guard.authenticate({ headers: { authorization: 'Bearer ' + token } }).then(
  ({ subject }) => ({ status: 200, subject }),
  ({ status, reason, evidence }) => ({ status, reason, found: evidence?.found }),
)
await guard.close()
process.stdout.write(JSON.stringify(outcome))
`

/** @param authority PEM @param options must be JSON */
export async function askTrusting(
  authority: string,
  options: ResourceServerOptions,
  token: string,
): Promise<{ status: number; subject?: string; reason?: string; found?: unknown }> {
  const folder = await mkdtemp(join(tmpdir(), 'resource-server-'))
  const ca = join(folder, 'ca.pem')
  await writeFile(ca, authority)
  const library = pathToFileURL('dist/index.js').href
  const env = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: ca,
    QUESTION: JSON.stringify({ library, options, token }),
  }
  try {
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', SCRIPT], { env })
    return JSON.parse(stdout) as Awaited<ReturnType<typeof askTrusting>>
  } finally {
    await rm(folder, { recursive: true })
  }
}
