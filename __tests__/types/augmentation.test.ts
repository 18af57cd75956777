/** `req.auth` on Express's own type comes with the package's name, and not with `/unaugmented`. */
import { resolve } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import ts from 'typescript'

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  types: ['node'],
  noEmit: true,
}

const PACKAGE = 'express-resource-server'
const UNAUGMENTED = 'express-resource-server/unaugmented'

const parsed = new Map<string, ts.SourceFile | undefined>()

/** What the compiler says to a program of one file, which finds this package by its name. */
function compile(source: string): string[] {
  const path = resolve('__tests__/types/program.ts')
  const host = ts.createCompilerHost(options)
  const onDisk = host.getSourceFile.bind(host)
  const isThere = host.fileExists.bind(host)
  host.fileExists = (name) => name === path || isThere(name)
  host.getSourceFile = (name, version) => {
    if (name === path) return ts.createSourceFile(name, source, version)
    if (!parsed.has(name)) parsed.set(name, onDisk(name, version))
    return parsed.get(name)
  }
  const program = ts.createProgram([path], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n').split('\n')[0] ?? '')
}

const program = (entry: string, declarations: string, handler: string) => `
  import express from 'express'
  import { accessTokenOf, requireScopes, resourceServer } from '${entry}'
  ${declarations}
  const api = resourceServer({ resource: 'https://api.example.com', issuer: 'https://as.example.com' })
  const app = express()
  app.use(api)
  app.get('/', requireScopes('a'), (req, res) => { ${handler} })
`

describe('the augmentation of Express', () => {
  it('comes with the package', () => {
    expect(compile(program(PACKAGE, '', 'res.json(req.auth.subject)'))).toEqual([])
  }, 60_000)

  it('does not come with the same names unaugmented', () => {
    const handler = 'res.json([accessTokenOf(req).subject, req.auth.subject])'
    expect(compile(program(UNAUGMENTED, '', handler))).toEqual([
      expect.stringMatching(/^Property 'auth' does not exist on type 'Request</),
    ])
  }, 60_000)

  it('leaves the place to another library that has put its own type there', () => {
    const declarations = `declare global { namespace Express { interface Request { auth?: { payload: string } } } }`
    const handler = 'res.json([req.auth?.payload, accessTokenOf(req).subject])'
    expect(compile(program(UNAUGMENTED, declarations, handler))).toEqual([])
  }, 60_000)
})
